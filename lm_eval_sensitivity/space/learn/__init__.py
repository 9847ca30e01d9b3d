"""The lesson.

view.py      its page
logistic.py  a rule with a knob                ripple.py    a grid of cells; raster.py draws both
clouds.py    noise beside sensitivity
"""
