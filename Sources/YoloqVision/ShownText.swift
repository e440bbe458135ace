// SPDX-License-Identifier: Apache-2.0

/// Words of a file, or of somebody who asks, as an error message shows them: their beginning, on one line.
///
/// - Parameters:
///   - text: Anything.
///   - limit: How many Unicode scalars are shown; a character can be of any number of these.
/// - Returns: The text without control characters, with an ellipsis if it was cut.
func shown(_ text: some StringProtocol, limit: Int = 60) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(limit) {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: result.append("\u{FFFD}")
        default: result.append(scalar)
        }
    }
    return String(result) + (text.unicodeScalars.dropFirst(limit).isEmpty ? "" : "…")
}
