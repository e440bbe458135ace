// SPDX-License-Identifier: Apache-2.0

/// What a download may do: where it may go, how much it may bring and how long it may take.
///
/// Holds for every step of a redirect. Whatever is set here, no redirect leads from https to http, or from a public
/// address to one that is not.
package struct DownloadPolicy: Sendable, Hashable {
    /// Where http without TLS is good enough.
    package enum PlainHTTP: Sendable, Hashable {
        /// Nowhere.
        case never
        /// To this machine itself.
        case toLoopback
        /// Everywhere.
        case always
    }

    /// Which machines may be spoken to.
    package enum Addresses: Sendable, Hashable {
        /// All.
        case any
        /// Those of the public internet: neither this machine nor its networks, whatever name leads there.
        case publicOnly
    }

    /// Where http without TLS is good enough.
    package var plainHTTP: PlainHTTP
    /// Which machines may be spoken to; judged by the address that is connected to, so a name cannot lie.
    package var addresses: Addresses
    /// The most redirects followed.
    package var maxRedirects: Int
    /// The most bytes taken.
    package var maxByteCount: Int
    /// How long connecting to one address may take, TLS included.
    package var connectTimeout: Duration
    /// How long nothing may come.
    package var idleTimeout: Duration
    /// How long all of it may take, redirects included; nil for any time.
    ///
    /// The system's look-up of names is not interrupted; it has limits of its own.
    package var totalTimeout: Duration?
    /// How often a file whose connection was cut is gone on with, where that can be done safely.
    package var maxResumes: Int

    /// Makes a policy.
    ///
    /// - Parameters:
    ///   - plainHTTP: Where http without TLS is good enough.
    ///   - addresses: Which machines may be spoken to.
    ///   - maxRedirects: The most redirects followed.
    ///   - maxByteCount: The most bytes taken.
    ///   - connectTimeout: How long connecting to one address may take.
    ///   - idleTimeout: How long nothing may come.
    ///   - totalTimeout: How long all of it may take; nil for any time.
    ///   - maxResumes: How often a file whose connection was cut is gone on with.
    package init(
        plainHTTP: PlainHTTP = .toLoopback,
        addresses: Addresses = .any,
        maxRedirects: Int = 5,
        maxByteCount: Int = 2 << 30,
        connectTimeout: Duration = .seconds(10),
        idleTimeout: Duration = .seconds(30),
        totalTimeout: Duration? = nil,
        maxResumes: Int = 2
    ) {
        self.plainHTTP = plainHTTP
        self.addresses = addresses
        self.maxRedirects = maxRedirects
        self.maxByteCount = maxByteCount
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.totalTimeout = totalTimeout
        self.maxResumes = maxResumes
    }

    /// Says whether a step may be made.
    ///
    /// - Parameters:
    ///   - url: Where to.
    ///   - address: The address to connect to.
    ///   - origin: The step before, if this is a redirect.
    /// - Throws: `DownloadError` with code `refused`.
    func check(
        _ url: WebURL,
        at address: NetworkAddress,
        from origin: (url: WebURL, address: NetworkAddress)?
    ) throws(DownloadError) {
        if let origin {
            guard url.isSecure || !origin.url.isSecure else {
                throw DownloadError(.refused, "\(origin.url) leads from https to http, \(url): not followed.")
            }
            guard address.isPublic || !origin.address.isPublic else {
                throw DownloadError(
                    .refused,
                    "\(origin.url) leads from the public internet to \(url) (\(address)), which is not part of it: not "
                        + "followed."
                )
            }
        }
        guard address.isPublic || addresses == .any else {
            throw DownloadError(
                .refused,
                "\(url) is at \(address), which is not an address of the public internet: not allowed here."
            )
        }
        let isPlainAllowed =
            switch plainHTTP {
            case .never: false
            case .toLoopback: address.isLoopback
            case .always: true
            }
        guard url.isSecure || isPlainAllowed else {
            throw DownloadError(
                .refused,
                "\(url) is plain http, which anybody on the way can read and change: not allowed here. Use https."
            )
        }
    }
}
