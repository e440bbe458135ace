// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

/// The OpenVINO runtime: its plugins and settings.
///
/// `@unchecked Sendable` because the handle never changes and `OpenVINOLibrary`, its only owner, calls it under a lock.
@safe struct Core: ~Copyable, @unchecked Sendable {
    private let functions: FunctionTable
    private let pointer: OpaquePointer

    init(_ functions: FunctionTable) throws(OpenVINOError) {
        unsafe self.pointer = try make("ov_core_create", functions) { unsafe $0.core_create(&$1) }
        self.functions = functions
    }

    deinit { unsafe functions.pointer.pointee.core_free(pointer) }

    borrowing func readModel(
        _ bytes: UnsafeRawBufferPointer,
        weights: OpaquePointer?,
        of library: OpenVINOLibrary
    ) throws(OpenVINOError) -> Model {
        guard let start = unsafe bytes.assumingMemoryBound(to: CChar.self).baseAddress else {
            throw OpenVINOError(code: .call, message: "ov_core_read_model_from_memory_buffer: no bytes")
        }
        let model = unsafe try make("ov_core_read_model_from_memory_buffer", functions) {
            unsafe $0.core_read_model_from_memory_buffer(pointer, start, bytes.count, weights, &$1)
        }
        return unsafe Model(owning: model, library: library)
    }

    borrowing func compile(
        _ model: borrowing Model,
        of library: OpenVINOLibrary,
        device: String,
        properties: [(key: String, value: String)]
    ) throws(OpenVINOError) -> CompiledModel {
        precondition(properties.count <= Int(YOLOQ_OV_MAX_PROPERTIES), "too many properties for one call")
        // One buffer with every string behind its terminator, and pointers into it: valid during the call only.
        var text: [CChar] = []
        var offsets: [Int] = []
        for string in properties.flatMap({ [$0.key, $0.value] }) {
            offsets.append(text.count)
            text.append(contentsOf: string.utf8CString)
        }
        let compiled = unsafe try make("ov_core_compile_model", functions) { _, result in
            unsafe text.withUnsafeBufferPointer { text in
                let strings = unsafe offsets.map { offset in unsafe text.baseAddress.map { unsafe $0 + offset } }
                return unsafe yoloq_ov_core_compile_model(
                    functions.pointer,
                    pointer,
                    model.pointer,
                    device,
                    strings,
                    properties.count,
                    &result
                )
            }
        }
        return unsafe CompiledModel(owning: compiled, library: library)
    }

    borrowing func property(_ key: String, ofDevice device: String) throws(OpenVINOError) -> String {
        var value: UnsafeMutablePointer<CChar>?
        try check("ov_core_get_property", functions) { unsafe $0.core_get_property(pointer, device, key, &value) }
        defer { unsafe functions.pointer.pointee.free(value) }
        return unsafe value.map { unsafe String(cString: $0) } ?? ""
    }
}
