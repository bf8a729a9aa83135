#!/bin/sh
# One argument, the data folder: a picture of 2400 x 1600 pixels.
set -eu
/usr/bin/convert -seed 15 -size 2400x1600 plasma:tomato-steelblue "$1/picture.ppm"
