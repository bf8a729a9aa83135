#!/bin/sh
# One argument, the data folder: a picture of 3000 x 2000 pixels.
set -eu
convert -seed 15 -size 3000x2000 plasma:tomato-steelblue "$1/picture.ppm"
