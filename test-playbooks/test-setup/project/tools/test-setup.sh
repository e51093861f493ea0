#!/bin/sh
printf '%s\n' "$COLOUR" "$@" >> made
