// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO
internal import Synchronization

#if canImport(Darwin)
    internal import Darwin
#elseif canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// OpenVINO's functions, found in the loaded library.
@safe struct FunctionTable: @unchecked Sendable {
    // Sendable because the table is written once, before anybody has it, and lives as long as the process.
    let pointer: UnsafePointer<yoloq_openvino_t>
}

/// The OpenVINO library, opened once per process and never closed.
///
/// Its threads, its plugins and C++ destructors at exit outlive any moment at which closing would be safe.
package final class OpenVINOLibrary: Sendable {
    /// The oldest OpenVINO whose functions and model support yoloq relies on.
    package static let oldestVersion = OpenVINOVersion(year: 2024, release: 0)

    /// How to get it, for the end of a message.
    package static let remedy = "Run ops/install-openvino or set YOLOQ_OPENVINO to the library or its folder."

    /// The file that was opened; without "/" if the dynamic loader found it.
    package let path: String
    /// The version the library gives itself.
    package let version: OpenVINOVersion

    let functions: FunctionTable
    /// This library's value for 32-bit floats, which differs between versions.
    let float32: ov_element_type_e
    /// One runtime for all engines of the process.
    ///
    /// "The recommended way is to have a single Core instance per application" (class ov::Core, docs.openvino.ai): each
    /// further one would load plugins of its own.
    private let core: Core
    /// Held while a model is read or compiled.
    ///
    /// OpenVINO's documentation does not promise that one Core may compile on two threads at once, other runtimes have
    /// crashed when sessions were created concurrently (microsoft/onnxruntime#26610), and it is not where time goes.
    /// Inference does not take the lock: each request is used by the one thread that made it.
    private let creation = Mutex<Void>(())

    private static let loaded = Mutex<OpenVINOLibrary?>(nil)

    /// The library of this process; opened by the first call.
    ///
    /// - Parameter search: Where to look. Later calls get the library that is open, whatever they search, unless they
    ///   name an explicit path that is another.
    /// - Returns: The library.
    /// - Throws: `OpenVINOError` with code `.missing` (with every place tried), `.unloadable` or `.tooOld`. The next
    ///   call tries again.
    package static func load(_ search: OpenVINOSearch) throws(OpenVINOError) -> OpenVINOLibrary {
        // `withLock` over a typed throw needs its type spelt.
        try loaded.withLock { (current) throws(OpenVINOError) -> OpenVINOLibrary in
            if let current {
                guard search.explicitPath == nil || search.find() == .found(path: current.path) else {
                    throw OpenVINOError(
                        code: .unloadable,
                        message: "cannot load OpenVINO from \(search.explicitPath ?? ""): this process already runs "
                            + "\(current.version) from \(current.path). Name one library per process."
                    )
                }
                return current
            }
            switch search.find() {
            case .missing(let tried):
                throw OpenVINOError(
                    code: .missing,
                    message: "cannot load OpenVINO: no \(OpenVINOSearch.stem).\(OpenVINOSearch.ending) in "
                        + tried.joined(separator: ", ") + ". \(remedy)"
                )
            case .found(let path):
                let library = try OpenVINOLibrary(opening: path)
                current = library
                return library
            }
        }
    }

    init(opening path: String) throws(OpenVINOError) {
        // Never closed, also when what follows fails: a library of this size starts threads when it is opened.
        guard let handle = unsafe dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            let reason = unsafe dlerror().map { unsafe String(cString: $0) } ?? "unknown reason"
            throw OpenVINOError(code: .unloadable, message: "cannot load OpenVINO: \(reason). \(Self.remedy)")
        }
        var missing: UnsafePointer<CChar>?
        guard let table = unsafe yoloq_openvino_bind(handle, &missing) else {
            let name = unsafe missing.map { unsafe String(cString: $0) } ?? "memory"
            throw OpenVINOError(
                code: .unloadable,
                message: "cannot load OpenVINO: \(path) has no \(name); yoloq needs \(Self.oldestVersion) or later. "
                    + Self.remedy
            )
        }
        let functions = unsafe FunctionTable(pointer: table)

        var raw = unsafe ov_version_t()
        try check("ov_get_openvino_version", functions) { unsafe $0.get_openvino_version(&raw) }
        let buildNumber = unsafe raw.buildNumber.map { unsafe String(cString: $0) } ?? ""
        unsafe table.pointee.version_free(&raw)
        guard let version = OpenVINOVersion(buildNumber: buildNumber), version >= Self.oldestVersion else {
            throw OpenVINOError(
                code: .tooOld,
                message: "cannot use OpenVINO \(buildNumber) at \(path): yoloq needs \(Self.oldestVersion) or later. "
                    + Self.remedy
            )
        }
        self.path = path
        self.version = version
        self.functions = functions
        self.float32 = try Self.probeFloat32(functions)
        self.core = try Core(functions)
    }

    /// Finds this library's value for 32-bit floats.
    ///
    /// The enum lost its first member after 2024, so F32 is 5 or 4; the neighbours F16 and F64 have 2 and 8 bytes, so
    /// the size of one element tells.
    private static func probeFloat32(_ functions: FunctionTable) throws(OpenVINOError) -> ov_element_type_e {
        for candidate in [4, 5] as [ov_element_type_e] {
            let tensor = try Tensor(elementType: candidate, shape: [1], functions: functions)
            if try tensor.byteCount() == 4 { return candidate }
        }
        throw OpenVINOError(
            code: .unloadable,
            message: "cannot use this OpenVINO: its enum of element types is not one that yoloq knows. \(remedy)"
        )
    }

    /// What one of this library's element types is to us.
    ///
    /// F16 and F32 are neighbours in every version's enum.
    func elementType(_ type: ov_element_type_e) -> Port.ElementType {
        switch type {
        case float32: .f32
        case float32 - 1: .f16
        default: .other
        }
    }

    /// Reads a model.
    ///
    /// - Parameter bytes: The content of an ONNX file; copied by OpenVINO.
    /// - Returns: The model, with shapes as in the file.
    /// - Throws: `OpenVINOError` with code `.call` and the reader's reason.
    package func readModel(_ bytes: UnsafeRawBufferPointer) throws(OpenVINOError) -> Model {
        try creating { () throws(OpenVINOError) in unsafe try core.readModel(bytes, weights: nil, of: self) }
    }

    /// Reads a model of OpenVINO's own form, which lies in two files.
    ///
    /// - Parameters:
    ///   - xml: The content of the file with the network.
    ///   - weights: The content of the file with its constants; copied, since the model reads them where they lie.
    /// - Returns: The model, with shapes as in the file. It keeps the copy for as long as it or what it is compiled to
    ///   needs it.
    /// - Throws: `OpenVINOError` with code `.call` and the reader's reason.
    package func readModel(
        _ xml: UnsafeRawBufferPointer,
        weights: UnsafeRawBufferPointer
    ) throws(OpenVINOError) -> Model {
        // The value of U8 differs between versions, that of F32 is known; up to 3 bytes at the end are not looked at.
        let tensor = try Tensor(shape: [max(1, (weights.count + 3) / 4)], library: self)
        let memory = unsafe UnsafeMutableRawBufferPointer(try tensor.floats())
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        unsafe memory.copyMemory(from: weights)
        return try creating { () throws(OpenVINOError) in
            unsafe try core.readModel(xml, weights: tensor.pointer, of: self)
        }
    }

    /// Compiles a model for a device.
    ///
    /// - Parameters:
    ///   - model: Cloned by the device's plugin: later changes of the model do not touch what was compiled.
    ///   - device: For example "CPU".
    ///   - properties: OpenVINO's keys and values, at most 8.
    /// - Returns: The compiled model.
    /// - Throws: `OpenVINOError` with code `.call` and the compiler's reason.
    package func compile(
        _ model: borrowing Model,
        device: String,
        properties: [(key: String, value: String)]
    ) throws(OpenVINOError) -> CompiledModel {
        try creating { () throws(OpenVINOError) in
            try core.compile(model, of: self, device: device, properties: properties)
        }
    }

    /// A property of a device, such as `FULL_DEVICE_NAME` or `INFERENCE_PRECISION_HINT`.
    ///
    /// - Parameters:
    ///   - key: OpenVINO's name of the property.
    ///   - device: For example "CPU".
    /// - Returns: The value as text.
    /// - Throws: `OpenVINOError` with code `.call`, also where the device does not exist.
    package func property(_ key: String, ofDevice device: String) throws(OpenVINOError) -> String {
        try creating { () throws(OpenVINOError) in try core.property(key, ofDevice: device) }
    }

    /// Runs a body under the lock for creating things.
    private func creating<R: ~Copyable>(_ body: () throws(OpenVINOError) -> R) throws(OpenVINOError) -> R {
        // Through a variable: what `withLock` itself returns must be sendable to other threads.
        var result: R?
        try creation.withLock { _ throws(OpenVINOError) in result = try body() }
        guard let result = result.take() else { preconditionFailure("set unless the body threw") }
        return result
    }
}
