// SPDX-License-Identifier: Apache-2.0
internal import YoloqOpenVINO
public import YoloqVision

/// A model run by OpenVINO on the CPU, with one thread: the caller's.
///
/// Made on the thread that uses it. Every input size is compiled for itself, as a static shape runs 8 to 17 % faster
/// than a dynamic one; the sizes used last stay compiled.
public struct OpenVINOEngine: Engine, ~Copyable {
    /// How an engine is made.
    public struct Options: Sendable, Hashable {
        /// The number format; `auto` leaves the choice to the runtime.
        public var precision: Precision
        /// Where OpenVINO keeps compiled models between runs; nil for nowhere.
        ///
        /// Not being able to write there is no error: the engine then compiles each time. See
        /// `Installation.compiledModels` for what it gains and costs.
        public var cacheFolder: String?
        /// The most input sizes that stay compiled, at least 1.
        ///
        /// Each holds its own copy of the weights.
        public var maxShapeCount: Int

        /// Describes an engine.
        ///
        /// - Parameters:
        ///   - precision: The number format; `auto` leaves the choice to the runtime.
        ///   - cacheFolder: Where OpenVINO keeps compiled models between runs; nil for nowhere.
        ///   - maxShapeCount: The most input sizes that stay compiled, at least 1.
        public init(precision: Precision = .auto, cacheFolder: String? = nil, maxShapeCount: Int = 8) {
            self.precision = precision
            self.cacheFolder = cacheFolder
            self.maxShapeCount = maxShapeCount
        }
    }

    /// The runtime and its version, for example "openvino 2026.4.1".
    public let name: String
    /// What the compiled network computes in, as the runtime says: "f32", "bf16" or "f16".
    public let precision: String
    private let network: Network

    /// Loads a model and compiles it for the size it was exported at.
    ///
    /// - Parameters:
    ///   - file: The model; its content is read again and must have the hash that `file` names.
    ///   - runtime: The OpenVINO of this process.
    ///   - options: How it is made.
    /// - Throws: `InferenceError` with code `.modelMissing`, `.modelChanged` if the file is another by now,
    ///   `.modelInvalid` if OpenVINO cannot read it, `.unsupportedModel` if its input is not one image of 32-bit or 16-bit floats,
    ///   or `.engine` with OpenVINO's reason.
    public init(_ file: ModelFile, runtime: OpenVINORuntime, options: Options = Options()) throws(InferenceError) {
        let network = try Network(file, library: runtime.library, options: options)
        let precision = try network.compiled(for: file.card.imageSize).precision
        self.name = runtime.name
        self.precision = precision
        self.network = network
    }

    /// How many input sizes are compiled at this moment.
    public var compiledShapeCount: Int { network.shapes.count }

    /// How many networks were compiled so far; one that keeps growing says that `maxShapeCount` is too small.
    public var compilationCount: Int { network.compilationCount }

    /// Runs the network once on one image.
    ///
    /// - Parameters:
    ///   - input: Height and width of the input tensor. A new size is compiled first, which takes about as long as five
    ///     runs and some 40 MB for a nano model; a model of fixed size takes no other.
    ///   - fill: Writes the network's input memory, every element: Float32, (1, 3, height, width), RGB, 0…1.
    ///   - read: Sees the network's outputs where OpenVINO wrote them.
    /// - Returns: What `read` returns.
    /// - Throws: `InferenceError` with code `.unsupportedModel` if the model does not take that size, `.engine` if
    ///   OpenVINO fails, or the code of the error that `read` throws.
    public mutating func run<R>(
        _ input: ImageSize,
        fill: (UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> Void,
        read: ([OutputTensor]) throws(VisionError) -> R
    ) throws(InferenceError) -> R {
        let shape = try network.compiled(for: input)
        let outcome = try translate(.engine, "cannot run model \"\(network.name)\" at \(input.text)") {
            () throws(OpenVINOError) in try shape.run(fill: fill, read: read)
        }
        return try outcome.get()
    }
}

@available(*, unavailable)
extension OpenVINOEngine: Sendable {}

/// A model and what it was compiled to, input size by input size.
///
/// A class because a noncopyable value with the model in it could not be filled by an initializer that throws; only its
/// engine has it.
private final class Network {
    let name: String
    private(set) var compilationCount = 0
    private(set) var shapes: ShapeCache<ImageSize, CompiledShape>
    private let library: OpenVINOLibrary
    private let inputShape: [Int?]
    private var options: OpenVINOEngine.Options
    private var model: Model

    init(_ file: ModelFile, library: OpenVINOLibrary, options: OpenVINOEngine.Options) throws(InferenceError) {
        precondition(options.maxShapeCount > 0, "at least one input size must stay compiled")
        let content = try LoadedModel(path: file.path, withWeights: true)
        guard content.sha256() == file.sha256 else {
            throw InferenceError(
                code: .modelChanged,
                message: "cannot load model \"\(file.name)\": the content of \(file.path) has changed since the model "
                    + "was looked up. Submit again, or retry with the file as it is now."
            )
        }
        let place = "cannot load model \"\(file.name)\": \(file.path)"
        let model = try translate(.modelInvalid, place) { () throws(OpenVINOError) in
            // The network of a model with 16-bit floats at its edges is fed and gives 32-bit ones like the others.
            try Self.read(content, library).convertingFloat16()
        }
        let inputs = try translate(.modelInvalid, place) { () throws(OpenVINOError) in try model.inputs() }
        guard inputs.count == 1, inputs[0].elementType == .f32, inputs[0].shape.count == 4 else {
            throw InferenceError(code: .unsupportedModel, message: "\(place): \(Self.describe(inputs))")
        }
        // What the file declares and what the runtime makes of its operations can differ.
        let outputs = try translate(.modelInvalid, place) { () throws(OpenVINOError) in try model.outputs() }
        guard outputs.allSatisfy({ $0.elementType == .f32 }) else {
            throw InferenceError(
                code: .unsupportedModel,
                message: "\(place): an output is of another type than f32 or f16. Export it without int8=True."
            )
        }
        self.name = file.name
        self.model = model
        self.library = library
        self.options = options
        self.inputShape = inputs[0].shape
        self.shapes = ShapeCache(capacity: inputShape.contains(nil) ? options.maxShapeCount : 1)
        if let folder = options.cacheFolder, !makeFolder(folder) { self.options.cacheFolder = nil }
    }

    /// Reads the network out of memory: what was hashed is what runs.
    private static func read(_ content: LoadedModel, _ library: OpenVINOLibrary) throws(OpenVINOError) -> Model {
        try content.withNetwork { (network) throws(OpenVINOError) in
            switch content.format {
            case .onnx: return try library.readModel(network)
            case .openvino:
                return try content.withWeights { (weights) throws(OpenVINOError) in
                    try library.readModel(network, weights: weights)
                }
            }
        }
    }

    /// The network for one input size, compiled now unless it still is.
    func compiled(for input: ImageSize) throws(InferenceError) -> CompiledShape {
        if let shape = shapes.value(for: input) { return shape }
        let batchSize = inputShape[0] ?? 1
        let wanted = [batchSize, 3, input.height, input.width]
        guard zip(inputShape, wanted).allSatisfy({ $0 == nil || $0 == $1 }) else {
            throw InferenceError(
                code: .unsupportedModel,
                message: "cannot run model \"\(name)\" at \(input.text): its input is \(Self.describe(inputShape)). "
                    + "Export it with dynamic=True for other sizes."
            )
        }
        shapes.makeRoom()  // before, so that memory never holds one more than the bound
        if inputShape.contains(nil) {
            try translate(.unsupportedModel, "model \"\(name)\" does not take \(input.text)") {
                () throws(OpenVINOError) in try model.reshapeInput(to: wanted)
            }
        }
        let shape = try translate(.engine, "cannot compile model \"\(name)\" for \(input.text)") {
            () throws(OpenVINOError) in try CompiledShape(compile(), batchSize: batchSize)
        }
        compilationCount += 1
        shapes.insert(shape, for: input)
        return shape
    }

    /// Compiles the model in the shape it has now.
    private func compile() throws(OpenVINOError) -> CompiledModel {
        do throws(OpenVINOError) {
            return try library.compile(model, device: "CPU", properties: properties)
        } catch {
            // A cache that cannot be used (full disk, foreign owner, half a file) must not stop anybody from working.
            guard options.cacheFolder != nil else { throw error }
            options.cacheFolder = nil
            return try library.compile(model, device: "CPU", properties: properties)
        }
    }

    /// One stream on one thread, wherever the system puts it.
    ///
    /// Threads are the caller's business: many engines with a thread each are the throughput optimum on a CPU. Pinning
    /// would put the threads of several engines on the same core (measured: half the speed).
    private var properties: [(key: String, value: String)] {
        var properties = [
            (key: "PERFORMANCE_HINT", value: "LATENCY"), (key: "NUM_STREAMS", value: "1"),
            (key: "INFERENCE_NUM_THREADS", value: "1"), (key: "ENABLE_CPU_PINNING", value: "NO"),
        ]
        if options.precision != .auto {
            properties.append((key: "INFERENCE_PRECISION_HINT", value: options.precision.rawValue))
        }
        if let folder = options.cacheFolder { properties.append((key: "CACHE_DIR", value: folder)) }
        return properties
    }

    private static func describe(_ inputs: [Port]) -> String {
        let list = inputs.map { "\(describe($0.shape)) of \($0.elementType.rawValue)" }
        return "its inputs are \(list.joined(separator: ", ")); yoloq runs models with one input (1, 3, height, width) "
            + "of f32 or f16."
    }

    private static func describe(_ shape: [Int?]) -> String {
        "(" + shape.map { $0.map(String.init) ?? "?" }.joined(separator: ", ") + ")"
    }
}

/// Runs OpenVINO calls and gives their error a code of ours.
private func translate<R: ~Copyable>(
    _ code: InferenceError.Code,
    _ doing: @autoclosure () -> String,
    _ body: () throws(OpenVINOError) -> R
) throws(InferenceError) -> R {
    do throws(OpenVINOError) {
        return try body()
    } catch {
        throw InferenceError(code: code, message: "\(doing()): \(error.message)")
    }
}

extension ImageSize {
    /// Height and width as in messages.
    var text: String { "\(height)x\(width)" }
}

/// The network compiled for one input size, with the memory it runs in.
///
/// A class because arrays hold no noncopyable values; only its engine has it.
private final class CompiledShape {
    let precision: String
    private let batchSize: Int
    private var request: InferRequest

    /// Makes the memory to run in.
    ///
    /// - Parameters:
    ///   - compiled: The network.
    ///   - batchSize: How many images it always takes at once: the first place is used, the others stay black.
    /// - Throws: `OpenVINOError` with code `.call`.
    init(_ compiled: consuming CompiledModel, batchSize: Int) throws(OpenVINOError) {
        self.precision = try compiled.property("INFERENCE_PRECISION_HINT")
        self.batchSize = batchSize
        self.request = try compiled.makeRequest()
        if batchSize > 1 { try request.input().floats().update(repeating: 0) }
    }

    /// Fills the input, infers and shows the outputs; the errors that `fill` and `read` throw come back as values.
    func run<R>(
        fill: (UnsafeMutableBufferPointer<Float>) throws(InferenceError) -> Void,
        read: ([OutputTensor]) throws(VisionError) -> R
    ) throws(OpenVINOError) -> Result<R, InferenceError> {
        let input = try request.input()
        let all = try input.floats()
        do throws(InferenceError) {
            try fill(UnsafeMutableBufferPointer(rebasing: all[..<(all.count / batchSize)]))
        } catch {
            return .failure(error)
        }
        try request.infer()
        return try withOutputs(from: 0, []) { (outputs) -> Result<R, InferenceError> in
            do throws(VisionError) { return .success(try read(outputs)) } catch {
                return .failure(InferenceError(error))
            }
        }
    }

    /// Collects the outputs one by one: each recursion keeps one tensor, which an array could not hold, alive.
    private func withOutputs<R>(
        from index: Int,
        _ outputs: [OutputTensor],
        _ body: ([OutputTensor]) -> R
    ) throws(OpenVINOError) -> R {
        guard index < request.outputCount else { return body(outputs) }
        let tensor = try request.output(index)
        let output = firstImage(of: try tensor.floats(), shape: try tensor.shape())
        let result = try withOutputs(from: index + 1, outputs + [output], body)
        extendLifetime(tensor)
        return result
    }

    /// What an output says of the image in the first place.
    ///
    /// An output that has not a row for each place is shown as it is; who looks at its shape will refuse it.
    private func firstImage(of values: UnsafeMutableBufferPointer<Float>, shape: [Int]) -> OutputTensor {
        guard batchSize > 1, shape.first == batchSize else {
            return OutputTensor(shape: shape, values: UnsafeBufferPointer(values))
        }
        let one = UnsafeBufferPointer(rebasing: values[..<(values.count / batchSize)])
        return OutputTensor(shape: [1] + shape.dropFirst(), values: one)
    }
}
