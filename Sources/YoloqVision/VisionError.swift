// SPDX-License-Identifier: Apache-2.0

/// What keeps a model from being used, a parameter from being taken or an output from being read.
public struct VisionError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of trouble it is; stable, for programs.
    public enum Code: String, Sendable {
        /// The model file is damaged or contradicts itself. Another file is needed.
        case modelInvalid = "model_invalid"
        /// The model file is sound, but of a kind that this version cannot run.
        case unsupportedModel = "unsupported_model"
        /// A prediction parameter is out of range or does not go with the model.
        case badParameters = "bad_parameters"
        /// The network's output is not what its model card promises.
        case badOutput = "bad_output"
    }

    /// What kind of trouble it is.
    public let code: Code

    /// What was asked, what happened and what to do, in one or two sentences.
    public let message: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: What kind of trouble it is.
    ///   - message: What was asked, what happened and what to do.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

extension VisionError {
    static func modelInvalid(_ what: String, advice: String = "Export the model again.") -> VisionError {
        VisionError(code: .modelInvalid, message: "cannot read the model: \(what). \(advice)")
    }

    static func unsupportedModel(_ what: String, advice: String = VisionError.exportAdvice) -> VisionError {
        VisionError(code: .unsupportedModel, message: "cannot use this model: \(what). \(advice)")
    }

    static func badParameter(_ name: String, _ what: String, advice: String) -> VisionError {
        VisionError(code: .badParameters, message: "cannot predict with \(name): \(what). \(advice)")
    }

    static func badOutput(_ what: String, advice: String = "Check the model file and the engine.") -> VisionError {
        VisionError(code: .badOutput, message: "cannot decode the model's output: \(what). \(advice)")
    }

    static let exportAdvice =
        "Use a YOLO as ONNX: yolo export model=yolo11n.pt format=onnx dynamic=True."
}
