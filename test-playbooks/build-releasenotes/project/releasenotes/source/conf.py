project = 'example'
extensions = ['reno.sphinxext']
locale_dirs = ['locale/']
