#!/bin/sh
# Builds the firmware for the MPS2 board: sh build.sh OUT.elf
set -eu
cd "$(dirname "$0")"
arm-none-eabi-gcc -std=c99 -Wall -Wextra -Wshadow -Wconversion -Werror -Os -mcpu=cortex-m3 -mthumb -ffunction-sections \
    -fdata-sections -I. -nostartfiles --specs=nano.specs -Wl,--gc-sections \
    -Wl,--wrap=chip_pulse -T mps2.ld frames.c service.c keeps_nothing.c no_files.c mps2.c ../xbp.c ../drive.c ../board.c ../recipe.c \
    ../chip_virtual.c ../chip_age.c ../chip_wires.c ../infer.c ../infer_steps.c -lm -o "$1"
