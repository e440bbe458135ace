// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A line on standard error that says how far a command has come; nothing at all unless somebody looks at it.
struct ProgressBar {
    private let label: String
    private let isShown = Console.isErrorTerminal
    private let start = ContinuousClock.now
    private var drawnAt: ContinuousClock.Instant?

    init(_ label: String) { self.label = label }

    /// Draws the bar anew, at most ten times a second.
    ///
    /// - Parameters:
    ///   - done: How many are done.
    ///   - total: Of how many; nil if unknown.
    mutating func update(_ done: Int, of total: Int?) {
        let now = ContinuousClock.now
        guard isShown, drawnAt.map({ now - $0 >= .milliseconds(100) }) ?? true || done == total else { return }
        drawnAt = now
        let text = ProgressBar.text(label: label, done: done, total: total, elapsed: now - start)
        Console.writeToError("\r\u{1B}[K\(text)")
    }

    /// Clears the line.
    func finish() {
        guard isShown, drawnAt != nil else { return }
        Console.writeToError("\r\u{1B}[K")
    }

    /// The bar's text: share, count, rate, and the time that is left at that rate.
    static func text(label: String, done: Int, total: Int?, elapsed: Duration) -> String {
        let seconds = max(elapsed / .seconds(1), 1e-3)
        let rate = Double(done) / seconds
        let rateText = done == 0 ? "" : String(format: "  %.1f/s", rate)
        guard let total, total > 0 else { return "\(label) \(done)\(rateText)" }
        let width = 24
        let filled = min(width, done * width / total)
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        let left = done == 0 || done >= total ? "" : "  \(Duration.seconds(Double(total - done) / rate).text) left"
        return "\(label) \(bar) \(done)/\(total)\(rateText)\(left)"
    }
}
