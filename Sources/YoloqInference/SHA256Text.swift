// SPDX-License-Identifier: Apache-2.0
internal import Crypto

/// SHA-256 of some bytes as 64 lower-case hexadecimal digits.
func sha256Text(_ bytes: UnsafeRawBufferPointer) -> String {
    var hash = SHA256()
    hash.update(bufferPointer: bytes)
    return hash.finalize().map { byte in
        String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }.joined()
}
