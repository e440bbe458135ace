# SPDX-License-Identifier: Apache-2.0
"""Writes mask_hashes.tsv: what OpenCV and pycocotools make of random bitmaps, for the tests of masks.

How to run:

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless==5.0.0.93 pycocotools==2.0.11
    venv/bin/python Tests/YoloqVisionTests/make_mask_hashes.py

A line per bitmap, which RandomBitmap.swift draws again from the seed: seed, width, height, number of outlines, number of
their points, FNV-1a 64 of them (little-endian int32: number of outlines; for each its number of points, then x and y of
each), number of ones, FNV-1a 64 of the compressed run lengths.
"""
import pathlib

import cv2
import numpy as np
from pycocotools import mask as coco

MASK = 0xFFFFFFFFFFFFFFFF
CASES = 400


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below(self, bound):
        return self.next() % bound


def noise(image, random):
    density = random.below(17)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            image[y, x] = random.below(16) < density


def blobs(image, random):
    """Noise of 0...255 summed over a square around each pixel, against the mean."""
    radius = 1 + random.below(3)
    height, width = image.shape
    values = [[random.below(256) for _ in range(width)] for _ in range(height)]
    threshold = 96 + random.below(64)
    for y in range(height):
        for x in range(width):
            total = count = 0
            for v in range(max(y - radius, 0), min(y + radius + 1, height)):
                for u in range(max(x - radius, 0), min(x + radius + 1, width)):
                    total += values[v][u]
                    count += 1
            image[y, x] = total > threshold * count


def lines(image, random):
    """Walks of single pixels, cut off at the edges."""
    height, width = image.shape
    for _ in range(1 + random.below(6)):
        x, y = random.below(width), random.below(height)
        for _ in range(1 + random.below(8)):
            dx, dy = random.below(3) - 1, random.below(3) - 1
            for _ in range(1 + random.below(12)):
                if 0 <= x < width and 0 <= y < height:
                    image[y, x] = 1
                x, y = x + dx, y + dy


def rings(image, random):
    """Rectangles in rectangles, of ones and zeros in turn."""
    height, width = image.shape
    for _ in range(1 + random.below(3)):
        left, top = random.below(width), random.below(height)
        right, bottom = left + 1 + random.below(width - left), top + 1 + random.below(height - top)
        value = 1
        while left < right and top < bottom:
            image[top:bottom, left:right] = value
            value = 1 - value
            left, top = left + 1 + random.below(2), top + 1 + random.below(2)
            right, bottom = right - 1 - random.below(2), bottom - 1 - random.below(2)


def rectangles(image, random):
    """Rectangles of ones and zeros over each other."""
    height, width = image.shape
    for _ in range(1 + random.below(16)):
        left, top = random.below(width), random.below(height)
        right, bottom = left + 1 + random.below(width - left), top + 1 + random.below(height - top)
        image[top:bottom, left:right] = random.below(3) > 0


def bitmap(seed):
    random = Random(seed)
    width, height = 1 + random.below(60), 1 + random.below(60)
    image = np.zeros((height, width), np.uint8)
    [noise, blobs, lines, rings, rectangles][seed % 5](image, random)
    return image


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return f"{value:016x}"


def main():
    rows = []
    for seed in range(1, CASES + 1):
        image = bitmap(seed)
        found = cv2.findContours(image.copy(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
        contours = [contour.reshape(-1, 2) for contour in found]
        numbers = [len(contours)]
        for contour in contours:
            numbers += [len(contour), *contour.reshape(-1).tolist()]
        text = coco.encode(np.asfortranarray(image))["counts"]
        height, width = image.shape
        points = sum(map(len, contours))
        hashed = fnv1a(np.array(numbers, "<i4").tobytes())
        row = [seed, width, height, len(contours), points, hashed, int(image.sum()), fnv1a(text)]
        rows.append("\t".join(map(str, row)) + "\n")
    pathlib.Path(__file__).with_name("mask_hashes.tsv").write_text("".join(rows))


if __name__ == "__main__":
    main()
