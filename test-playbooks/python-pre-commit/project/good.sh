echo good
