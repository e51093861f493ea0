"""Serve the wheels of a folder as a package index, one of them with another byte at its end; go on in the background.

usage: serve-index.py WHEELS CHANGED PORT

CHANGED is the project whose wheels are changed; '-' is none. User and password are asked for: me, secret.
"""
import base64
import http.server
import os
import re
import sys

WHEELS, CHANGED, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
KEY = 'Basic ' + base64.b64encode(b'me:secret').decode()


def project(name):
    return re.sub(r'[-_.]+', '-', name.split('-')[0]).lower()


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get('Authorization') != KEY:
            self.answer(401, b'who are you?')
            return
        parts = self.path.strip('/').split('/')
        names = [name for name in os.listdir(WHEELS) if name.endswith('.whl')]
        if len(parts) == 2 and parts[0] == 'simple' and any(project(name) == parts[1] for name in names):
            links = ''.join(f'<a href="/files/{name}">{name}</a><br>'
                            for name in sorted(names) if project(name) == parts[1])
            self.answer(200, f'<!DOCTYPE html><html><body>{links}</body></html>'.encode())
        elif len(parts) == 2 and parts[0] == 'files' and parts[1] in names:
            with open(os.path.join(WHEELS, parts[1]), 'rb') as stream:
                self.answer(200, stream.read() + (b'x' if project(parts[1]) == CHANGED else b''))
        else:
            self.answer(404, b'not here')

    def answer(self, code, body):
        self.send_response(code)
        if code == 401:
            self.send_header('WWW-Authenticate', 'Basic realm="index"')
        self.send_header('Content-Type', 'text/html' if b'<html' in body else 'application/octet-stream')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


server = http.server.ThreadingHTTPServer(('127.0.0.1', PORT), Index)   # from here on it takes up connections
if os.fork() == 0:
    os.setsid()
    for stream in range(3):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)
    server.serve_forever()
