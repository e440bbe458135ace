// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import YoloqVideo

/// Which frames of a video to look at.
struct FrameOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Of videos, look at every n-th frame (1).", valueName: "n"))
    var every: Int?

    @Option(help: ArgumentHelp("Of videos, look at so many frames of each second.", valueName: "rate"))
    var fps: Double?

    func validate() throws {
        guard every == nil || fps == nil else { throw ValidationError("--every and --fps exclude each other") }
        guard every.map({ $0 > 0 }) ?? true, fps.map({ $0 > 0 && $0 <= 1000 }) ?? true else {
            throw ValidationError("--every is a number from 1, --fps is more than 0 and at most 1000")
        }
    }

    /// The frames that were asked for.
    var selection: FrameSelection { fps.map { .perSecond($0) } ?? .every(every ?? 1) }
}
