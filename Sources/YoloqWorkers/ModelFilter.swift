// SPDX-License-Identifier: Apache-2.0

public import YoloqJobs

/// Which models a worker serves.
public enum ModelFilter: Sendable, Hashable {
    /// Every model that a job asks for.
    case all
    /// These, known by name or by path.
    case only([ModelReference])

    /// Whether a job's model is served.
    public func contains(_ model: ModelReference) -> Bool {
        switch self {
        case .all: true
        case .only(let served): served.contains { $0.path == model.path || $0.name == model.name }
        }
    }

    /// The names, for others to see; nil for all.
    var names: [String]? {
        switch self {
        case .all: nil
        case .only(let served): served.map(\.name)
        }
    }

    /// What to make ready before the first claim.
    var preloaded: [ModelReference] {
        switch self {
        case .all: []
        case .only(let served): served
        }
    }
}
