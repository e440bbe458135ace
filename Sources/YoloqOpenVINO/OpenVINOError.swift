// SPDX-License-Identifier: Apache-2.0
internal import CYoloqOpenVINO

/// Why OpenVINO could not be loaded or refused a call.
package struct OpenVINOError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of trouble it is.
    package enum Code: String, Sendable {
        /// No OpenVINO library was found; the message lists the places.
        case missing
        /// A library was found but could not be opened, or lacks a function.
        case unloadable
        /// The library is older than `OpenVINOLibrary.oldestVersion`.
        case tooOld
        /// A call into the library failed.
        case call
    }

    /// What callers can switch on.
    package let code: Code
    /// What was asked, what happened and what to do.
    package let message: String

    /// The message.
    package var description: String { message }
}

/// Runs one C call and turns its status into a typed error.
///
/// `ov_get_last_err_msg` allocates and belongs to the whole process: when two threads fail at once the text can be the
/// other one's. The status is always ours.
///
/// - Parameters:
///   - call: The name of the C function.
///   - functions: OpenVINO's functions.
///   - body: Makes the call.
/// - Throws: `OpenVINOError` with code `.call` unless the status is 0.
func check(
    _ call: StaticString,
    _ functions: borrowing FunctionTable,
    _ body: (yoloq_openvino_t) -> ov_status_e
) throws(OpenVINOError) {
    let status = unsafe body(functions.pointer.pointee)
    guard status != 0 else { return }
    var message = unsafe "\(call): " + String(cString: functions.pointer.pointee.get_error_info(status))
    if let detail = unsafe functions.pointer.pointee.get_last_err_msg() {  // owned, freed below
        unsafe message += ": " + String(cString: detail)
        unsafe functions.pointer.pointee.free(detail)
    }
    throw OpenVINOError(code: .call, message: message)
}

/// Runs one C call that makes an object.
///
/// - Parameters:
///   - call: The name of the C function.
///   - functions: OpenVINO's functions.
///   - body: Makes the call, which writes its out-pointer.
/// - Returns: The object, the caller's to free.
/// - Throws: `OpenVINOError` with code `.call`.
@unsafe func make(
    _ call: StaticString,
    _ functions: borrowing FunctionTable,
    _ body: (yoloq_openvino_t, inout OpaquePointer?) -> ov_status_e
) throws(OpenVINOError) -> OpaquePointer {
    var pointer: OpaquePointer?
    try check(call, functions) { unsafe body($0, &pointer) }
    guard let pointer = unsafe pointer else {
        throw OpenVINOError(code: .call, message: "\(call): success without a result")
    }
    return unsafe pointer
}
