// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// An IP address.
struct NetworkAddress: Sendable, Hashable, CustomStringConvertible {
    /// As numbers, such as "192.0.2.1" or "2001:db8::1".
    let description: String
    /// 4 bytes, or 16.
    private let bytes: [UInt8]

    /// Reads an address out of its usual text; nil for anything else.
    init?(_ text: String) {
        var four = [UInt8](repeating: 0, count: 4), sixteen = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = four
        } else if inet_pton(AF_INET6, text, &sixteen) == 1 {
            bytes = sixteen
        } else {
            return nil
        }
        description = text
    }

    /// The addresses of a name, in the system's order of preference; waits for the system's look-up.
    ///
    /// - Parameter host: A name, or an address in any spelling that the system knows.
    /// - Returns: At least one.
    /// - Throws: `DownloadError` with code `unreachable`.
    static func lookUp(_ host: String) throws(DownloadError) -> [NetworkAddress] {
        var hints = addrinfo()
        hints.ai_socktype = tcpSocket
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, nil, &hints, &list)
        guard status == 0 else {
            throw DownloadError(
                .unreachable,
                "the name \"\(host)\" is not known here: \(String(cString: gai_strerror(status)))."
            )
        }
        defer { freeaddrinfo(list) }
        var addresses: [NetworkAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let length = socklen_t(text.count)
            guard getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, length, nil, 0, NI_NUMERICHOST) == 0,
                let address = NetworkAddress(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)),
                !addresses.contains(address)
            else { continue }
            addresses.append(address)
        }
        guard !addresses.isEmpty else {
            throw DownloadError(.unreachable, "the name \"\(host)\" has no address that can be connected to.")
        }
        return addresses
    }

    private static var tcpSocket: Int32 {
        #if canImport(Glibc)
            Int32(SOCK_STREAM.rawValue)
        #else
            SOCK_STREAM
        #endif
    }

    /// Whether it means this machine.
    var isLoopback: Bool {
        if let inner = embedded { return inner[0] == 127 }
        return bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// Whether it belongs to the public internet.
    ///
    /// By IANA's registries of special-purpose addresses; of IPv6, only global unicast (2000::/3) counts.
    var isPublic: Bool {
        if let inner = embedded { return Self.isPublic(inner) }
        guard bytes[0] & 0xE0 == 0x20 else { return false }
        let isProtocol = bytes[0] == 0x20 && bytes[1] == 0x01 && bytes[2] < 0x02  // 2001::/23
        let isExample = Array(bytes[..<4]) == [0x20, 0x01, 0x0D, 0xB8] || (bytes[0] == 0x3F && bytes[1] == 0xFF)
        let is6to4 = bytes[0] == 0x20 && bytes[1] == 0x02
        return !isProtocol && !isExample && !is6to4
    }

    /// The IPv4 address that this is, or is another spelling of: ::ffff:a.b.c.d and NAT64's 64:ff9b::a.b.c.d.
    private var embedded: [UInt8]? {
        if bytes.count == 4 { return bytes }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        let translated: [UInt8] = [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8)
        guard bytes.starts(with: mapped) || bytes.starts(with: translated) else { return nil }
        return Array(bytes[12...])
    }

    private static func isPublic(_ b: [UInt8]) -> Bool {
        switch (b[0], b[1], b[2]) {
        case (0, _, _), (10, _, _), (127, _, _): false
        case (100, 64...127, _), (169, 254, _), (172, 16...31, _), (192, 168, _): false
        case (192, 0, 0), (192, 0, 2), (192, 88, 99), (198, 18...19, _), (198, 51, 100), (203, 0, 113): false
        case (224..., _, _): false
        default: true
        }
    }
}
