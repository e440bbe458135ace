// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Dispatch
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Hands a response from the network's thread to the one that waits for it, piece by piece.
///
/// The network's thread goes on when a piece was used: memory holds one piece, whatever the server sends.
final class ResponsePipe: HTTPClientResponseDelegate {
    enum Event: Sendable {
        case head(HTTPResponseHead)
        case part(ByteBuffer)
        case end
        case failure(any Error)
    }

    private struct State {
        /// What has come and was not looked at; the promise lets the next piece come.
        var events: [(event: Event, used: EventLoopPromise<Void>?)] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    /// Waits for the next event.
    ///
    /// The client's own deadlines end the wait: they come as a failure. After the end or a failure nothing comes.
    func next() -> Event {
        arrived.wait()
        let (event, used) = state.withLock { $0.events.removeFirst() }
        used?.succeed()
        return event
    }

    /// Takes no more events; the network's thread waits for nobody.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            defer { state.events = [] }
            return state.events
        }
        for case (_, let used?) in waiting { used.fail(CancellationError()) }
    }

    private func add(_ event: Event, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let used = loop.makePromise(of: Void.self)
        let isTaken = state.withLock { state in
            if !state.isClosed { state.events.append((event, used)) }
            return !state.isClosed
        }
        if isTaken { arrived.signal() } else { used.fail(CancellationError()) }
        return used.futureResult
    }

    private func add(_ event: Event) {
        state.withLock { $0.events.append((event, nil)) }
        arrived.signal()
    }

    // MARK: HTTPClientResponseDelegate, on the network's thread

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        add(.head(head), on: task.eventLoop)
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        add(.part(buffer), on: task.eventLoop)
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) { add(.end) }

    func didReceiveError(task: HTTPClient.Task<Void>, _ error: any Error) { add(.failure(error)) }
}
