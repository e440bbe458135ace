// SPDX-License-Identifier: Apache-2.0

import Foundation
import YoloqVision

/// One thing the doctor looked at.
struct Finding {
    /// How bad it is.
    enum Grade: String {
        /// As it must be.
        case good
        /// Jobs run, but somebody should look.
        case doubtful
        /// Jobs cannot run.
        case broken
    }

    let what: String
    let grade: Grade
    let text: String

    /// Notes what was found.
    init(_ what: String, _ grade: Grade, _ text: String) {
        self.what = what
        self.grade = grade
        self.text = text
    }

    /// For people.
    var line: String {
        let mark =
            switch grade {
            case .good: "ok"
            case .doubtful: "!!"
            case .broken: "NO"
            }
        return "\(mark)  \(what.padding(toLength: 8, withPad: " ", startingAt: 0)) \(text)"
    }

    /// One line of JSON.
    var json: JSONValue { ["check": .string(what), "grade": .string(grade.rawValue), "text": .string(text)] }
}
