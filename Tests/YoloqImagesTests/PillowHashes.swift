// SPDX-License-Identifier: Apache-2.0
// Written by make_pillow_hashes.py with Pillow 12.0.0; do not edit.

/// Noise of seed 1, resized with `BILINEAR`: source and target size, FNV-1a 64.
let pillowHashes: [(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int, hash: UInt64)] = [
    (1, 1, 5, 7, 0x4936E415931FE9CC),
    (7, 5, 1, 1, 0xD15505198A022771),
    (64, 48, 32, 24, 0x6090020CB26308DB),
    (81, 108, 48, 64, 0xABF635B904059246),
    (31, 17, 640, 351, 0x7065F4C79C124772),
    (333, 251, 200, 150, 0xFD5B2666F7D0E157),
    (100, 3, 33, 64, 0xF92C1F50E1B09F9F),
    (640, 2, 320, 1, 0x78E887432684D147),
    (13, 200, 14, 199, 0xB9D4B73A96E777FB),
    (64, 64, 63, 65, 0x515FD54157A428E6),
    (200, 100, 200, 37, 0xC5A06139AA71045C),
    (90, 90, 31, 90, 0x07FD4332E22C5637),
    (40, 30, 40, 30, 0xE99E8323BBD06894),
    (2000, 3, 7, 5, 0x8A654B6B96F9D68D),
    (3, 2000, 5, 7, 0x25CCE8C78D206FE9),
    (20000, 2, 1, 2, 0x6D13E5BABDC5B723),
    (2, 1, 3000, 2, 0x4412F6E4CC0459F5),
    (255, 254, 224, 224, 0x5BAC345AD9102A27),
]

/// The same noise as classifier inputs: source, input, scaled size, left and top of the crop, FNV-1a 64.
let classifierInputHashes: [ClassifierInputHash] = [
    .init((64, 48), (32, 32), (42, 32), (5, 0), 0x0066043B5E389C9A),
    .init((48, 64), (32, 32), (32, 42), (0, 5), 0x2BABADB95994775D),
    .init((101, 75), (32, 32), (43, 32), (6, 0), 0x3264660C82026C6B),
    .init((75, 101), (32, 32), (32, 43), (0, 6), 0xA77BC6F5BA71B0A9),
    .init((100, 100), (64, 64), (64, 64), (0, 0), 0x64E1DB7871F7B9D8),
    .init((500, 7), (24, 24), (1714, 24), (845, 0), 0xE89FED891ED6A236),
    .init((7, 500), (24, 24), (24, 1714), (0, 845), 0x48D4E814EDBA2701),
    .init((20, 30), (64, 64), (64, 96), (0, 16), 0x8472885B4288CA3D),
    .init((97, 64), (64, 64), (97, 64), (16, 0), 0x43FC740B352EFDA5),
    .init((95, 64), (64, 64), (95, 64), (16, 0), 0x33C4F1084348C38C),
    .init((64, 93), (64, 64), (64, 93), (0, 14), 0x0ADEB1945548020C),
    .init((1, 1), (8, 8), (8, 8), (0, 0), 0x188A1A5EEBC585E5),
    .init((300, 200), (64, 32), (64, 32), (0, 0), 0x8DC0AF15EC4F0C5B),
    .init((200, 300), (64, 32), (64, 32), (0, 0), 0x10CC744157BB86F5),
    .init((50, 40), (40, 50), (40, 50), (0, 0), 0xBC7A2E693A7B559C),
]
