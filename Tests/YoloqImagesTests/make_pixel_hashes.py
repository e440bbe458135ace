# SPDX-License-Identifier: Apache-2.0
"""Prints PixelHashes.swift: what OpenCV decodes and resizes, as FNV-1a hashes of RGB bytes.

Usage: make_pixel_hashes.py SHARED > PixelHashes.swift, with opencv-python-headless 5.0.0.93; SHARED holds `images`.
"""
import pathlib
import sys

import cv2
import numpy

MASK = 2**64 - 1


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def noise(seed, count):
    """The bytes of the tests' `SeededGenerator`."""
    state, out = seed, bytearray()
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        out.append(state >> 56)
    return bytes(out)


def rgb_hash(image):
    return fnv1a(numpy.ascontiguousarray(image[..., ::-1]).tobytes())


cv2.setNumThreads(1)
print("// SPDX-License-Identifier: Apache-2.0")
print(f"// Written by make_pixel_hashes.py with OpenCV {cv2.__version__}; do not edit.")
print("\n/// Upright RGB pixels of files in `shared/images`: path, width, height, FNV-1a 64.")
print("let decodedHashes: [(path: String, width: Int, height: Int, hash: UInt64)] = [")
images = pathlib.Path(sys.argv[1]) / "images"
for path in sorted(p for folder in (".", "sizes", "odd") for p in (images / folder).iterdir()):
    if path.suffix in (".jpg", ".png", ".webp", ".bmp", ".tiff"):
        image = cv2.imdecode(numpy.frombuffer(path.read_bytes(), numpy.uint8), cv2.IMREAD_COLOR)
        height, width = image.shape[:2]
        print(f'    ("{path.relative_to(images)}", {width}, {height}, 0x{rgb_hash(image):016X}),')
print("]")
print("\n/// Noise of seed 1, resized with `INTER_LINEAR`: source and target size, FNV-1a 64.")
print("let resizedHashes: [(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, hash: UInt64)] = [")
for shape in [
    (1, 1, 5, 7), (7, 5, 1, 1), (64, 48, 32, 24), (128, 72, 64, 36), (81, 108, 48, 64), (31, 17, 640, 351),
    (333, 251, 200, 150), (100, 3, 33, 64), (640, 2, 320, 1), (400, 300, 64, 48), (13, 200, 14, 199), (64, 64, 63, 65),
]:
    source = numpy.frombuffer(noise(1, shape[0] * shape[1] * 3), numpy.uint8).reshape(shape[1], shape[0], 3)
    result = cv2.resize(source, shape[2:], interpolation=cv2.INTER_LINEAR)
    print(f"    ({shape[0]}, {shape[1]}, {shape[2]}, {shape[3]}, 0x{fnv1a(result.tobytes()):016X}),")
print("]")
