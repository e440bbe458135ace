// SPDX-License-Identifier: Apache-2.0
package import YoloqVision

/// Why a model could not be found, loaded or run.
public struct InferenceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of trouble it is.
    public enum Code: String, Sendable {
        /// No usable inference runtime on this machine.
        case engineMissing = "engine_missing"
        /// The runtime refused or failed; trying again may help.
        case engine
        /// No model file of that name.
        case modelMissing = "model_missing"
        /// The file is not the one that was asked for.
        case modelChanged = "model_changed"
        /// The file is not a model that can be read.
        case modelInvalid = "model_invalid"
        /// A good model of a kind that yoloq does not run.
        case unsupportedModel = "unsupported_model"
        /// Parameters that no prediction can have.
        case badParameters = "bad_parameters"
        /// The network gave something that is not what its card says.
        case badOutput = "bad_output"
    }

    /// What callers can switch on.
    public let code: Code
    /// What was asked, what happened and what to do.
    public let message: String

    /// Describes a failure.
    ///
    /// - Parameters:
    ///   - code: What callers can switch on.
    ///   - message: What was asked, what happened and what to do.
    public init(code: Code, message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }

    /// Carries an error of the vision module on under the same code.
    package init(_ error: VisionError) {
        switch error.code {
        case .modelInvalid: self.init(code: .modelInvalid, message: error.message)
        case .unsupportedModel: self.init(code: .unsupportedModel, message: error.message)
        case .badParameters: self.init(code: .badParameters, message: error.message)
        case .badOutput: self.init(code: .badOutput, message: error.message)
        }
    }
}
