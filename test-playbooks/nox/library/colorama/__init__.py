ORIGIN = 'from source'
