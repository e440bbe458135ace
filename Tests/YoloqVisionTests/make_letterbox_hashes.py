# SPDX-License-Identifier: Apache-2.0
"""Writes letterbox_hashes.tsv: what OpenCV makes of the shared images, for LetterboxHashTests.swift.

How to run, with the folder of shared test material (`images/` in it) beside the checkout:

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless==5.0.0.93
    venv/bin/python Tests/YoloqVisionTests/make_letterbox_hashes.py ../shared

A line per image and mode: path under images/, mode, width and height of the letterboxed image, FNV-1a 64 of its RGB bytes,
FNV-1a 64 of the little-endian float32 (3, H, W) tensor. Stride 32, size 640. An optional second argument names a folder
that receives the decoded RGB pixels of each image (u32 width, u32 height, bytes), named by the hash of the file.
"""
import pathlib
import sys

import cv2
import numpy as np

SIZE, STRIDE, GREY = 640, 32, 114


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def letterbox(image, mode):
    height, width = image.shape[:2]
    scale = min(SIZE / height, SIZE / width)
    new_width, new_height = max(round(width * scale), 1), max(round(height * scale), 1)
    pad_width, pad_height = SIZE - new_width, SIZE - new_height
    if mode == "rect":
        pad_width, pad_height = pad_width % STRIDE, pad_height % STRIDE
    if (width, height) != (new_width, new_height):
        image = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    top, bottom = round(pad_height / 2 - 0.1), round(pad_height / 2 + 0.1)
    left, right = round(pad_width / 2 - 0.1), round(pad_width / 2 + 0.1)
    return cv2.copyMakeBorder(image, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(GREY,) * 3)


def main():
    images = pathlib.Path(sys.argv[1]) / "images"
    dumps = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
    lines = []
    for folder in ["", "sizes", "odd"]:
        for path in sorted((images / folder).iterdir()):
            if path.suffix not in (".jpg", ".png") or not path.is_file():
                continue
            data = path.read_bytes()
            bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if bgr is None:
                continue
            if dumps:
                header = np.array(bgr.shape[1::-1], "<u4").tobytes()
                # Without the leading zeros, as Swift's String(_:radix:) writes it.
                (dumps / f"{int(fnv1a(data), 16):x}.rgb").write_bytes(header + bgr[..., ::-1].tobytes())
            for mode in ["full", "rect"]:
                rgb = np.ascontiguousarray(letterbox(bgr, mode)[..., ::-1])
                tensor = np.ascontiguousarray(rgb.transpose(2, 0, 1)).astype("<f4") / np.float32(255)
                height, width = rgb.shape[:2]
                name = str(path.relative_to(images))
                lines.append([name, mode, str(width), str(height), fnv1a(rgb.tobytes()), fnv1a(tensor.tobytes())])
    out = pathlib.Path(__file__).with_name("letterbox_hashes.tsv")
    out.write_text("".join("\t".join(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
