# SPDX-License-Identifier: Apache-2.0
"""Prints image_fixtures.tsv: small files of many kinds, and the pixels that their reference decoder gives.

Usage: make_image_fixtures.py > image_fixtures.tsv, with opencv-python-headless 5.0.0.93, pillow 13.0.0, pillow-heif
1.8.1, tifffile 2026.3.3 and imagecodecs 2026.3.6.

Fields: format, name, width, height, FNV-1a 64 of the upright RGB pixels, the file in base64, and for HEIC and AVIF,
whose decoders need not agree to the bit, the pixels in base64.

The pixels are OpenCV's. Where it refuses a sound file of lossless pixels (named "own" below), they are those that were
written; those of HEIC and AVIF are Pillow's.
"""
import base64
import io
import struct

import cv2
import numpy
import pillow_heif
import tifffile
from PIL import Image, ImageOps

WIDTH, HEIGHT = 17, 19


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & (2**64 - 1)
    return value


def opencv(data):
    image = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image[..., ::-1]


def emit(kind, name, data, own=None, keeps_pixels=False):
    pixels = numpy.ascontiguousarray(opencv(data) if own is None else own)
    height, width = pixels.shape[:2]
    fields = [kind, name, str(width), str(height), f"{fnv1a(pixels.tobytes()):016X}", base64.b64encode(data).decode()]
    if keeps_pixels:
        fields.append(base64.b64encode(pixels.tobytes()).decode())
    print("\t".join(fields))


def pillow(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


generator = numpy.random.default_rng(2026)
y, x = numpy.mgrid[0:HEIGHT, 0:WIDTH]
# Two gradients, some noise, and colours enough for every branch.
rgb = numpy.stack([x * 15, y * 13, (x * y) % 256], -1) + generator.integers(0, 12, (HEIGHT, WIDTH, 3))
rgb = rgb.clip(0, 255).astype(numpy.uint8)
grey = rgb[..., 0]
alpha = generator.integers(0, 256, (HEIGHT, WIDTH, 1), numpy.uint8)
rgba = numpy.concatenate([rgb, alpha], -1)
deep = generator.integers(0, 65536, (HEIGHT, WIDTH, 3), numpy.uint16)
photo, photo_alpha = Image.fromarray(rgb), Image.fromarray(rgba)


# WebP


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(data):
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data


def size24(value):
    return struct.pack("<I", value - 1)[:3]


for name, image, options in [
    ("lossy", photo, {"quality": 80}), ("lossy, best", photo, {"quality": 100, "method": 6}),
    ("lossless", photo, {"lossless": True}), ("lossy with alpha", photo_alpha, {"quality": 80}),
    ("lossless with alpha", photo_alpha, {"lossless": True, "exact": True}),
    ("palette", photo.quantize(8), {"lossless": True}),
]:
    emit("webp", name, pillow(image, "WEBP", **options))
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    emit("webp", f"turned {orientation}", pillow(photo, "WEBP", lossless=True, exif=exif))
emit("webp", "animation", pillow(photo, "WEBP", save_all=True, append_images=[photo.rotate(180)], lossless=True))
for name, image, options in [
    ("lossless", photo, {"lossless": True}), ("lossy with alpha", photo_alpha, {"quality": 70})
]:
    # A first frame that covers only a part of the canvas.
    frame = pillow(image, "WEBP", **options)[12:]
    if frame[:4] == b"VP8X":
        frame = frame[18:]
    corner = struct.pack("<I", 4 // 2)[:3] + struct.pack("<I", 6 // 2)[:3]
    frame = chunk(b"ANMF", corner + size24(WIDTH) + size24(HEIGHT) + b"\x64\0\0\0" + frame)
    header = chunk(b"VP8X", b"\x12\0\0\0" + size24(WIDTH + 9) + size24(HEIGHT + 7))
    animation = header + chunk(b"ANIM", b"\xff\x80\x40\xff\0\0") + frame + frame
    emit("webp", f"animation of a small frame, {name}", riff(animation))


# BMP


def bmp(bits, data, compression=0, masks=(), palette=b"", header_size=40, top_down=False, color_count=0):
    height = -HEIGHT if top_down else HEIGHT
    masks = b"".join(struct.pack("<I", mask) for mask in masks)
    if header_size == 12:
        header = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", header_size, WIDTH, height, 1, bits, compression, len(data), 0, 0,
                             color_count, 0)
        if header_size > 40:
            header += (masks + bytes(header_size))[: header_size - 40]
            masks = b""
    offset = 14 + len(header) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + header + masks + palette + data


def rows(bits_of_row, top_down=False):
    """Rows of bit strings, padded to 32 bits."""
    lines = [bits_of_row(row) for row in (range(HEIGHT) if top_down else reversed(range(HEIGHT)))]
    lines = [line + "0" * (-len(line) % 32) for line in lines]
    return b"".join(int(line, 2).to_bytes(len(line) // 8, "big") for line in lines)


def indices(bits):
    return generator.integers(0, 1 << bits, (HEIGHT, WIDTH))


def palette_of(count, entry=4):
    colors = generator.integers(0, 256, (count, 3), numpy.uint8)
    return colors, b"".join(bytes(color[::-1]) + b"\0" * (entry - 3) for color in colors)


for bits in (1, 4, 8):
    for header_size in (12, 40, 64, 108):
        for top_down in (False, True) if header_size == 40 else (False,):
            colors, palette = palette_of(1 << bits, 3 if header_size == 12 else 4)
            index = indices(bits)
            data = rows(lambda row: "".join(f"{value:0{bits}b}" for value in index[row]), top_down)
            name = f"{bits} bits, header of {header_size}" + (", top down" if top_down else "")
            emit("bmp", name, bmp(bits, data, palette=palette, header_size=header_size, top_down=top_down))
colors, palette = palette_of(5)
index = indices(4)
data = rows(lambda row: "".join(f"{value:04b}" for value in index[row]))
emit("bmp", "4 bits, five colours and indices beyond", bmp(4, data, palette=palette, color_count=5))
for name, masks, options in [
    ("16 bits", (), {}), ("16 bits, top down", (), {"top_down": True}),
    ("16 bits, 555", (0x7C00, 0x3E0, 0x1F), {"compression": 3}),
    ("16 bits, 565", (0xF800, 0x7E0, 0x1F), {"compression": 3}),
]:
    words = generator.integers(0, 65536, (HEIGHT, WIDTH))
    data = rows(lambda row: "".join(f"{value & 255:08b}{value >> 8:08b}" for value in words[row]))
    emit("bmp", name, bmp(16, data, masks=masks, **options))
for bits in (24, 32):
    pixels = generator.integers(0, 256, (HEIGHT, WIDTH, bits // 8))
    for options in ({}, {"top_down": True}, {"header_size": 124}) + (({"header_size": 12},) if bits == 24 else ()):
        data = rows(lambda row: "".join(f"{value:08b}" for value in pixels[row].ravel()), options.get("top_down"))
        emit("bmp", f"{bits} bits, {options}", bmp(bits, data, **options))
for masks in [
    (0xFF0000, 0xFF00, 0xFF, 0xFF000000), (0xFF, 0xFF00, 0xFF0000, 0xFF000000), (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
    (0xFF00, 0xFF0000, 0xFF000000, 0),
]:
    for header_size in (40, 56, 108, 124):
        data = rows(lambda row: "".join(f"{value:08b}" for value in pixels[row].ravel()))
        used = masks if header_size > 40 else masks[:3]
        name = "32 bits, masks " + " ".join(f"{mask:X}" for mask in used) + f", header of {header_size}"
        emit("bmp", name, bmp(32, data, compression=3, masks=used, header_size=header_size))


def runs8(row):
    """A row of RLE8: some runs, then the rest as they are."""
    out, position = b"", 0
    while position < 6:
        out += bytes([3, int(row[position])])
        row[position : position + 3] = row[position]
        position += 3
    rest = bytes(int(value) for value in row[position:])
    return out + bytes([0, len(rest)]) + rest + b"\0" * (len(rest) % 2)


def runs4(row):
    """A row of RLE4: a run of two colours in turns, then the rest as they are."""
    row[2], row[3], row[4] = row[0], row[1], row[0]
    rest = [int(value) for value in row[5:]]
    rest_bytes = bytes(a << 4 | b for a, b in zip(rest[::2], rest[1::2] + [0]))
    return bytes([5, int(row[0]) << 4 | int(row[1]), 0, len(rest)]) + rest_bytes + b"\0" * (len(rest_bytes) % 2)


for bits, encode, compression in ((8, runs8, 1), (4, runs4, 2)):
    colors, palette = palette_of(1 << bits)
    index = indices(bits)
    encoded = [encode(index[row]) for row in reversed(range(HEIGHT))]
    end_of_row, end = b"\0\0", b"\0\1"
    for name, data in [
        ("ended", end_of_row.join(encoded) + end), ("all rows ended", end_of_row.join(encoded) + end_of_row + end),
        ("without an end", end_of_row.join(encoded) + end_of_row),
    ]:
        emit("bmp", f"runs of {bits} bits, {name}", bmp(bits, data, compression=compression, palette=palette))
    # Rows cut short, an empty row, moves, and an end before the last row.
    moves = b"\4\1\0\0" + b"\0\0" + b"\0\2\3\2" + b"\2\2" + b"\0\2\1\0" + b"\3\1\0\0" + encoded[0] + b"\0\1"
    expected = numpy.broadcast_to(colors[0], (HEIGHT, WIDTH, 3)).copy()

    def paint(row, column, count, code):
        for step in range(count):
            value = code if bits == 8 else (code >> 4, code & 15)[step % 2]
            expected[HEIGHT - 1 - row, column + step] = colors[value]

    paint(0, 0, 4, 1)
    paint(4, 3, 2, 2)
    paint(4, 6, 3, 1)
    expected[HEIGHT - 6] = colors[index[HEIGHT - 1]]
    file = bmp(bits, moves, compression=compression, palette=palette)
    emit("bmp", f"runs of {bits} bits, with moves", file, own=expected)
    if bits == 8:
        assert numpy.array_equal(opencv(file), expected)
emit("bmp", "Pillow's", pillow(photo, "BMP"))


# TIFF


def tiff(array, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


layouts = {
    "one strip": {}, "strips": {"rowsperstrip": 4}, "tiles": {"tile": (16, 16)},
    # libtiff reads plain tiles only if their length is a multiple of 1,024 bytes, unless it maps the file.
    "plain tiles": {"tile": (16, 64)}, "big-endian strips": {"rowsperstrip": 5, "byteorder": ">"}, "BigTIFF": {"bigtiff": True},
}
for layout, options in layouts.items():
    if layout == "tiles":
        continue
    emit("tiff", f"RGB, {layout}", tiff(rgb, photometric="rgb", **options))
    emit("tiff", f"RGB of 16 bits, {layout}", tiff(deep, photometric="rgb", **options))
    emit("tiff", f"grey, {layout}", tiff(grey, photometric="minisblack", **options))
    emit("tiff", f"grey of 16 bits, {layout}", tiff(deep[..., 0], photometric="minisblack", **options))
for compression in ("packbits", "lzw", "zlib", "zstd", "adobe_deflate"):
    for layout in ("strips", "tiles"):
        options = layouts[layout]
        for predictor in (False, True) if compression in ("lzw", "zlib") else (False,):
            name = f"RGB, {compression}, {layout}" + (", predictor" if predictor else "")
            file = tiff(rgb, photometric="rgb", compression=compression, predictor=predictor or None, **options)
            emit("tiff", name, file, own=rgb if compression == "zstd" else None)
deep_file = tiff(deep, photometric="rgb", compression="zlib", predictor=True, tile=(16, 16))
emit("tiff", "RGB of 16 bits, zlib, tiles, predictor", deep_file)
for kind in ("unassalpha", "assocalpha", "unspecified"):
    emit("tiff", f"RGBA, {kind}", tiff(rgba, photometric="rgb", extrasamples=[kind]))
    deep_alpha = numpy.concatenate([deep, deep[..., :1]], -1)
    emit("tiff", f"RGBA of 16 bits, {kind}", tiff(deep_alpha, photometric="rgb", extrasamples=[kind]))
emit("tiff", "RGB in planes", tiff(rgb.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"))
planes = tiff(rgb.transpose(2, 0, 1), photometric="rgb", planarconfig="separate", compression="lzw", tile=(16, 16))
emit("tiff", "RGB in planes of tiles", planes)
emit("tiff", "grey, white is zero", tiff(grey, photometric="miniswhite"))
emit("tiff", "grey with alpha", pillow(Image.merge("LA", (Image.fromarray(grey), Image.fromarray(alpha[..., 0]))),
                                       "TIFF"))
emit("tiff", "palette", pillow(photo.quantize(50), "TIFF"))
emit("tiff", "palette, LZW", pillow(photo.quantize(50), "TIFF", compression="tiff_lzw"))
emit("tiff", "bits", pillow(photo.convert("1"), "TIFF"))
for compression in ("group3", "group4", "packbits"):
    emit("tiff", f"bits, {compression}", pillow(photo.convert("1"), "TIFF", compression=compression))
emit("tiff", "CMYK", pillow(photo.convert("CMYK"), "TIFF"))
emit("tiff", "YCbCr, JPEG", pillow(photo.convert("YCbCr"), "TIFF", compression="jpeg"))
emit("tiff", "RGB, JPEG", pillow(photo, "TIFF", compression="jpeg", quality=90))
emit("tiff", "grey, JPEG", pillow(photo.convert("L"), "TIFF", compression="jpeg"))
emit("tiff", "two pages", pillow(photo, "TIFF", save_all=True, append_images=[photo.rotate(180)]))
for orientation in range(1, 9):
    tag = [(274, 3, 1, orientation, True)]
    emit("tiff", f"turned {orientation}", tiff(rgb, photometric="rgb", rowsperstrip=4, extratags=tag))


# JPEG: more than one row of blocks, in every way to halve the colours


def jpeg(image, *options):
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 70, *options])[1].tobytes()


y, x = numpy.mgrid[0:83, 0:70]
waves = numpy.stack([127 + 90 * numpy.sin(x / 5), 127 + 90 * numpy.cos(y / 6), (x * y // 8) % 256], -1).astype(numpy.uint8)
for sampling in ("411", "420", "422", "440", "444"):
    factor = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")]
    emit("jpeg", sampling, jpeg(waves, *factor))
    emit("jpeg", f"{sampling}, progressive", jpeg(waves, *factor, cv2.IMWRITE_JPEG_PROGRESSIVE, 1))
    emit("jpeg", f"{sampling}, restarts", jpeg(waves, *factor, cv2.IMWRITE_JPEG_RST_INTERVAL, 3))
emit("jpeg", "grey", jpeg(waves[..., 0]))


# HEIC and AVIF


pillow_heif.register_heif_opener()


def seen(data):
    return numpy.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


# Smooth, and of even sides: what differs between decoders is how they spread colours over edges.
wide, high = 32, 24
y, x = numpy.mgrid[0:high, 0:wide]
smooth = numpy.stack([x * 255 // wide, y * 255 // high, 255 - (x + y) * 255 // (wide + high)], -1).astype(numpy.uint8)
smooth_alpha = numpy.concatenate([smooth, numpy.full((high, wide, 1), 128, numpy.uint8)], -1)
for kind, pillow_kind in (("heic", "HEIF"), ("avif", "AVIF")):
    for name, array, options in [
        ("plain", smooth, {"quality": 90}), ("4:4:4", smooth, {"quality": 95, "subsampling": "4:4:4"}),
        ("alpha", smooth_alpha, {"quality": 90}), ("grey", smooth[..., 0], {"quality": 90}),
    ]:
        if kind == "heic" and "subsampling" in options:
            options = {"quality": 95, "chroma": 444}
        data = pillow(Image.fromarray(array), pillow_kind, **options)
        emit(kind, name, data, own=seen(data), keeps_pixels=True)
    for orientation in (3, 6, 8) if kind == "heic" else range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        data = pillow(Image.fromarray(smooth), pillow_kind, quality=90, exif=exif)
        emit(kind, f"turned {orientation}", data, own=seen(data), keeps_pixels=True)
