// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import YoloqDownloads

struct NetworkAddressTests {
    @Test(arguments: ["8.8.8.8", "140.82.121.4", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"])
    func `an address of the public internet is one`(_ text: String) throws {
        let address = try #require(NetworkAddress(text))
        #expect(address.isPublic)
        #expect(!address.isLoopback)
    }

    @Test(arguments: [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.9.9.9", "169.254.169.254", "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1", "198.18.0.1", "203.0.113.5", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1",
        "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fe80::1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1",
        "2002:7f00:1::", "2001::1", "64:ff9b:1::1",
    ])
    func `an address of a private or special network is not public, however it is spelled`(_ text: String) throws {
        #expect(try #require(NetworkAddress(text)).isPublic == false)
    }

    @Test(arguments: ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"])
    func `this machine is known under all of its addresses`(_ text: String) throws {
        #expect(try #require(NetworkAddress(text)).isLoopback)
    }

    @Test(arguments: ["", "localhost", "127.1", "1.2.3.4.5", "[::1]", "0x7f.0.0.1"])
    func `what is not an address in its usual text is none`(_ text: String) {
        #expect(NetworkAddress(text) == nil)
    }
}

struct DownloadPolicyTests {
    private func refusal(
        _ policy: DownloadPolicy,
        _ url: String,
        _ address: String,
        from origin: (String, String)? = nil
    ) throws -> DownloadError.Code? {
        let url = try WebURL(url), address = try #require(NetworkAddress(address))
        let origin = try origin.map { (url: try WebURL($0.0), address: try #require(NetworkAddress($0.1))) }
        do throws(DownloadError) {
            try policy.check(url, at: address, from: origin)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `plain http goes to this machine alone unless it is allowed`() throws {
        #expect(try refusal(DownloadPolicy(), "http://a.example/", "8.8.8.8") == .refused)
        #expect(try refusal(DownloadPolicy(), "http://a.example/", "10.0.0.1") == .refused)
        #expect(try refusal(DownloadPolicy(), "http://a.example/", "127.0.0.1") == nil)
        #expect(try refusal(DownloadPolicy(plainHTTP: .always), "http://a.example/", "8.8.8.8") == nil)
        #expect(try refusal(DownloadPolicy(plainHTTP: .never), "http://a.example/", "127.0.0.1") == .refused)
        #expect(try refusal(DownloadPolicy(plainHTTP: .never), "https://a.example/", "8.8.8.8") == nil)
    }

    @Test func `no redirect leads from https to http, whatever is allowed`() throws {
        let policy = DownloadPolicy(plainHTTP: .always)
        let origin = ("https://a.example/", "8.8.8.8")
        #expect(try refusal(policy, "http://a.example/", "8.8.8.8", from: origin) == .refused)
        #expect(try refusal(policy, "https://b.example/", "8.8.4.4", from: origin) == nil)
    }

    @Test func `no redirect leads from the public internet to a private network, whatever is allowed`() throws {
        let origin = ("https://a.example/", "8.8.8.8")
        #expect(try refusal(DownloadPolicy(), "https://b.example/", "192.168.1.1", from: origin) == .refused)
        #expect(
            try refusal(DownloadPolicy(), "https://b.example/", "192.168.1.1", from: ("https://c.example/", "10.0.0.1"))
                == nil
        )
    }

    @Test func `a policy for the public internet refuses everything else, over https too`() throws {
        let policy = DownloadPolicy(addresses: .publicOnly)
        #expect(try refusal(policy, "https://a.example/", "169.254.169.254") == .refused)
        #expect(try refusal(policy, "https://a.example/", "8.8.8.8") == nil)
    }
}
