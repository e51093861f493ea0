project = 'example'
