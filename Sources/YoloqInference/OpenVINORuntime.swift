// SPDX-License-Identifier: Apache-2.0
package import YoloqOpenVINO

/// The OpenVINO library of this process: which one it is and what it runs on.
public struct OpenVINORuntime: Sendable {
    /// The library file.
    public let path: String
    /// For example "openvino 2026.4.1".
    public let name: String
    /// The processor as OpenVINO names it.
    public let deviceName: String

    package let library: OpenVINOLibrary

    /// Opens OpenVINO, or gives the one this process has opened.
    ///
    /// Looks at `library`, else `$YOLOQ_OPENVINO`; where neither is named, at `.deps/openvino` of the checkout,
    /// `openvino` in yoloq's home, and the system's folders. The first place that holds a library decides.
    ///
    /// - Parameters:
    ///   - library: A library file or a folder that holds one.
    ///   - installation: Where yoloq finds things.
    /// - Throws: `InferenceError` with code `.engineMissing`, with every place tried or the library's own reason.
    public init(library: String? = nil, installation: Installation = .current) throws(InferenceError) {
        let search = OpenVINOSearch(
            explicitPath: library.map(Installation.absolutePath),
            environmentPath: installation.environment["YOLOQ_OPENVINO"].flatMap {
                $0.isEmpty ? nil : Installation.absolutePath($0)
            },
            folders: [installation.checkout.map { $0 + "/.deps/openvino" }, installation.home + "/openvino"]
                .compactMap { $0 }
        )
        do throws(OpenVINOError) {
            self.library = try OpenVINOLibrary.load(search)
            self.deviceName = try self.library.property("FULL_DEVICE_NAME", ofDevice: "CPU")
        } catch {
            throw InferenceError(code: .engineMissing, message: error.message)
        }
        self.path = self.library.path
        self.name = "openvino \(self.library.version)"
    }
}
