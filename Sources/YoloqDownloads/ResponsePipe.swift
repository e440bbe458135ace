// SPDX-License-Identifier: Apache-2.0
internal import AsyncHTTPClient
internal import Dispatch
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// Hands a response from the network's thread to the one that waits for it, piece by piece.
///
/// The network's thread waits when too much was not looked at yet: memory holds little, whatever the server sends. It
/// does not wait for less, since what it holds back itself is lost when the connection is.
final class ResponsePipe: HTTPClientResponseDelegate {
    enum Event: Sendable {
        case head(HTTPResponseHead)
        case part(ByteBuffer)
        case end
        case failure(any Error)

        fileprivate var byteCount: Int { if case .part(let buffer) = self { buffer.readableBytes } else { 0 } }
    }

    private struct State {
        /// What has come and was not looked at.
        var events: [Event] = []
        /// The bytes in `events`.
        var byteCount = 0
        /// Lets the next piece come.
        var waiting: EventLoopPromise<Void>?
        var isClosed = false
    }

    /// More is not taken before some was looked at.
    private static let maxByteCount = 1 << 20

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    /// Waits for the next event.
    ///
    /// The client's own deadlines end the wait: they come as a failure. After the end or a failure nothing comes.
    ///
    /// - Returns: Events in the order in which they came.
    func next() -> Event {
        arrived.wait()
        let (event, waiting) = state.withLock { state in
            let event = state.events.removeFirst()
            state.byteCount -= event.byteCount
            return (event, state.byteCount < Self.maxByteCount ? state.waiting.take() : nil)
        }
        waiting?.succeed()
        return event
    }

    /// Takes no more events; the network's thread waits for nobody.
    func close() {
        let waiting = state.withLock { state in
            state.isClosed = true
            state.events = []
            return state.waiting.take()
        }
        waiting?.fail(CancellationError())
    }

    /// Adds an event.
    ///
    /// - Returns: Done when the next may come; failed when nobody looks any more.
    private func add(_ event: Event, on loop: any EventLoop) -> EventLoopFuture<Void> {
        let (isTaken, waiting) = state.withLock { state in
            guard !state.isClosed else { return (false, EventLoopPromise<Void>?.none) }
            state.events.append(event)
            state.byteCount += event.byteCount
            if state.byteCount >= Self.maxByteCount { state.waiting = loop.makePromise() }
            return (true, state.waiting)
        }
        guard isTaken else { return loop.makeFailedFuture(CancellationError()) }
        arrived.signal()
        return waiting?.futureResult ?? loop.makeSucceededVoidFuture()
    }

    private func add(_ event: Event) {
        state.withLock { $0.events.append(event) }
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
