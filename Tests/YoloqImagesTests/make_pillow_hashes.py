# SPDX-License-Identifier: Apache-2.0
"""Prints PillowHashes.swift: what Pillow resizes, and what torchvision's rules make of it, as FNV-1a hashes.

Usage: make_pillow_hashes.py > PillowHashes.swift, with pillow 12.0.0. (Pillow 13 scales along y first where an image gets
wider and less tall at once, and gives other bytes there.)
"""
import PIL
from PIL import Image

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


def image(width, height):
    return Image.frombytes("RGB", (width, height), noise(1, width * height * 3))


def classifier_input(source, height, width):
    """torchvision's Resize(size) and CenterCrop((height, width)); size is a number where both are the same."""
    if height == width:
        short, long = sorted(source.size)
        new_short, new_long = height, int(height * long / short)
        size = (new_short, new_long) if source.width <= source.height else (new_long, new_short)
    else:
        size = (width, height)
    scaled = source.resize(size, Image.Resampling.BILINEAR)
    left, top = int(round((scaled.width - width) / 2.0)), int(round((scaled.height - height) / 2.0))
    return scaled.crop((left, top, left + width, top + height)), size, left, top


print("// SPDX-License-Identifier: Apache-2.0")
print(f"// Written by make_pillow_hashes.py with Pillow {PIL.__version__}; do not edit.")
print("\n/// Noise of seed 1, resized with `BILINEAR`: source and target size, FNV-1a 64.")
print("let pillowHashes: [(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, hash: UInt64)] = [")
for source_width, source_height, width, height in [
    (1, 1, 5, 7), (7, 5, 1, 1), (64, 48, 32, 24), (81, 108, 48, 64), (31, 17, 640, 351), (333, 251, 200, 150),
    (100, 3, 33, 64), (640, 2, 320, 1), (13, 200, 14, 199), (64, 64, 63, 65), (200, 100, 200, 37), (90, 90, 31, 90),
    (40, 30, 40, 30), (2000, 3, 7, 5), (3, 2000, 5, 7), (20000, 2, 1, 2), (2, 1, 3000, 2), (255, 254, 224, 224),
]:
    hash = fnv1a(image(source_width, source_height).resize((width, height), Image.Resampling.BILINEAR).tobytes())
    print(f"    ({source_width}, {source_height}, {width}, {height}, 0x{hash:016X}),")
print("]")
print("\n/// The same noise as classifier inputs: source, input, scaled size, left and top of the crop, FNV-1a 64.")
print("let classifierInputHashes: [ClassifierInputHash] = [")
for source_width, source_height, width, height in [
    (64, 48, 32, 32), (48, 64, 32, 32), (101, 75, 32, 32), (75, 101, 32, 32), (100, 100, 64, 64), (500, 7, 24, 24),
    (7, 500, 24, 24), (20, 30, 64, 64), (97, 64, 64, 64), (95, 64, 64, 64), (64, 93, 64, 64), (1, 1, 8, 8),
    (300, 200, 64, 32), (200, 300, 64, 32), (50, 40, 40, 50),
]:
    result, size, left, top = classifier_input(image(source_width, source_height), height, width)
    fields = [(source_width, source_height), (width, height), size, (left, top)]
    text = ", ".join(f"({a}, {b})" for a, b in fields)
    print(f"    .init({text}, 0x{fnv1a(result.tobytes()):016X}),")
print("]")
