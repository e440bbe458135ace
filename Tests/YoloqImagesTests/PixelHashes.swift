// SPDX-License-Identifier: Apache-2.0
// Written by make_pixel_hashes.py with OpenCV 5.0.0; do not edit.

/// Upright RGB pixels of files in `shared/images`: path, width, height, FNV-1a 64.
let decodedHashes: [(path: String, width: Int, height: Int, hash: UInt64)] = [
    ("bus.jpg", 810, 1080, 0x06A1E63602D5A5AA),
    ("dog.jpg", 768, 576, 0x1F3251457142C378),
    ("giraffe.jpg", 500, 500, 0xE552C0ADAF874167),
    ("horses.jpg", 773, 512, 0x01AE6943D0CB3A6E),
    ("odd/cmyk.jpg", 768, 576, 0x902401EDB97483CC),
    ("odd/exif3.jpg", 768, 576, 0x03BDDFDACD01FD0E),
    ("odd/exif6.jpg", 768, 576, 0xE11B5B621DFA27BE),
    ("odd/exif6.png", 384, 288, 0xCDA4C519C8AC3ADD),
    ("odd/exif8.jpg", 768, 576, 0x29C6AA040718BA9C),
    ("odd/gray.jpg", 768, 576, 0x84F262B35C72BB81),
    ("odd/gray16.png", 768, 576, 0xAC3FB9730A8D7190),
    ("odd/lossless.webp", 768, 576, 0x1F3251457142C378),
    ("odd/lossy.webp", 768, 576, 0x6E2A3037D0A2881F),
    ("odd/one-pixel.png", 1, 1, 0x158C29188E123217),
    ("odd/palette.png", 768, 576, 0x99CA16C7D9DA47D6),
    ("odd/photo.bmp", 768, 576, 0x1F3251457142C378),
    ("odd/photo.tiff", 768, 576, 0x1F3251457142C378),
    ("odd/progressive.jpg", 768, 576, 0xED0D109E1A4E5E5E),
    ("odd/rgb.png", 768, 576, 0x1F3251457142C378),
    ("odd/rgba.png", 768, 576, 0x1F3251457142C378),
    ("odd/subsampling444.jpg", 768, 576, 0x1A1075B0E3748A57),
    ("odd/tiny31x17.jpg", 31, 17, 0x6300A893DDC34A3B),
    ("odd/wide4000x60.jpg", 4000, 60, 0xB48DAE8A5CAC649C),
    ("sizes/bus809x1080.png", 809, 1080, 0x50F6FCAF3C58E413),
    ("sizes/dog768x575.png", 768, 575, 0x0FD6242651F46D1E),
    ("sizes/horses333x251.jpg", 333, 251, 0xACF9BC73A34B912A),
    ("sizes/zidane1280x721.jpg", 1280, 721, 0x14AF47D1E36C58DE),
    ("zidane.jpg", 1280, 720, 0x6F8442D9936FE550),
]

/// Noise of seed 1, resized with `INTER_LINEAR`: source and target size, FNV-1a 64.
let resizedHashes: [(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, hash: UInt64)] = [
    (1, 1, 5, 7, 0x4936E415931FE9CC),
    (7, 5, 1, 1, 0x3F0EBB19C7576816),
    (64, 48, 32, 24, 0x3D0E5E8D87079446),
    (128, 72, 64, 36, 0xB088A7ABD1A309E6),
    (81, 108, 48, 64, 0xC38097FAD1C0A135),
    (31, 17, 640, 351, 0xA74FEC49915DD55C),
    (333, 251, 200, 150, 0x080DFD99C6A31A99),
    (100, 3, 33, 64, 0xE805302A32E6DB45),
    (640, 2, 320, 1, 0x18112400AAA5EDD1),
    (400, 300, 64, 48, 0x25DDC6949BE74D97),
    (13, 200, 14, 199, 0xB062598C21B586B3),
    (64, 64, 63, 65, 0x489324801F9B6AE9),
]
