raise SystemExit('this one is broken')
