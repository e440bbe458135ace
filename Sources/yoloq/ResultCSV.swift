// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqVision

extension ResultRecord {
    /// The columns; those that a task does not have stay empty.
    static let csvHeader = "job,source,frame,name,class,confidence,x1,y1,x2,y2,x3,y3,x4,y4"

    /// A line for each prediction (RFC 4180, lines ended as the system does it); none for a job that did not succeed.
    var csv: [String] {
        (document?.predictions ?? []).map { prediction in
            let box = prediction.box
            let corners = [box?.x1, box?.y1, box?.x2, box?.y2, box?.x3, box?.y3, box?.x4, box?.y4]
            let fields =
                [
                    job ?? "", source, frame.map { "\($0.index)" } ?? "", prediction.name, "\(prediction.class)",
                    JSONValue.double(prediction.confidence).description,
                ] + corners.map { $0.map { JSONValue.double($0).description } ?? "" }
            return fields.map(ResultRecord.quoted).joined(separator: ",")
        }
    }

    /// In quotes if the text would be read as something else without them.
    private static func quoted(_ text: String) -> String {
        guard text.contains(where: { ",\"\r\n".contains($0) || $0.isNewline }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }
}
