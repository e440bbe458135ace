# SPDX-License-Identifier: Apache-2.0
"""Writes scaled_mask_hashes.tsv: what OpenCV makes of masks of a model's input at the size of the image.

How to run:

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless==5.0.0.93 pycocotools==2.0.11
    venv/bin/python Tests/YoloqVisionTests/make_scaled_mask_hashes.py

The masks are the bitmaps of make_mask_hashes.py. The padding is cut off, zeros and ones are scaled by cv2.resize (float32,
INTER_LINEAR), and what is above one half is the mask. A line per bitmap: seed, how the image was fitted in, width and height
of the image, number of ones, FNV-1a 64 of the compressed run lengths.

Left out are pairs of sizes with which a pixel comes so close to one half that the order of additions decides (TIE).
"""
import pathlib

import cv2
import numpy as np
from make_mask_hashes import CASES, Random, bitmap, fnv1a
from pycocotools import mask as coco

TIE = 1e-5


def cut(mask, fit, width, height):
    """What of the mask is the image, by the letterbox's arithmetic."""
    if fit == "stretch":
        return mask
    rows, columns = mask.shape
    gain = min(rows / height, columns / width)
    if fit == "top-left":
        return mask[: max(int(height * gain), 1), : max(int(width * gain), 1)]
    new_height, new_width = max(round(height * gain), 1), max(round(width * gain), 1)
    top, left = round((rows - new_height) / 2 - 0.1), round((columns - new_width) / 2 - 0.1)
    return mask[top : top + new_height, left : left + new_width]


def main():
    rows = []
    for seed in range(1, CASES + 1):
        random = Random(1000 + seed)
        fit = ["full", "full", "rect", "stretch", "top-left"][random.below(5)]
        width, height = 1 + random.below(240), 1 + random.below(240)
        part = cut(bitmap(seed), fit, width, height).astype(np.float32)
        scaled = cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
        if (abs(scaled - 0.5) < TIE).any():
            continue
        result = np.asfortranarray(scaled > 0.5).astype(np.uint8)
        text = coco.encode(np.asfortranarray(result))["counts"]
        rows.append("\t".join(map(str, [seed, fit, width, height, int(result.sum()), fnv1a(text)])) + "\n")
    pathlib.Path(__file__).with_name("scaled_mask_hashes.tsv").write_text("".join(rows))


if __name__ == "__main__":
    main()
