// SPDX-License-Identifier: Apache-2.0
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// A rectangle that may be turned, by its centre, in pixels.
///
/// Of the upright source image in a prediction; of the model's input where a function says so. The angle is as the model
/// gave it: two such boxes can be the same rectangle.
public struct RotatedBox: Sendable, Hashable {
    /// Centre, from the left edge.
    public var centerX: Float
    /// Centre, from the upper edge.
    public var centerY: Float
    /// Length of the side that lies along the x axis before turning.
    public var width: Float
    /// Length of the other side.
    public var height: Float
    /// By how much it is turned, in radians, from the x axis (right) towards the y axis (down): clockwise as seen.
    public var angle: Float

    /// Makes a turned rectangle.
    ///
    /// - Parameters:
    ///   - centerX: Centre, from the left edge.
    ///   - centerY: Centre, from the upper edge.
    ///   - width: Length of the side along the x axis before turning.
    ///   - height: Length of the other side.
    ///   - angle: In radians, clockwise as seen.
    public init(centerX: Float, centerY: Float, width: Float, height: Float, angle: Float) {
        self.centerX = centerX
        self.centerY = centerY
        self.width = width
        self.height = height
        self.angle = angle
    }
}

extension RotatedBox {
    /// The four corners in the order of the reference (`xywhr2xyxyxyxy` in `ultralytics/utils/ops.py`).
    ///
    /// Of a box that is not turned: lower right, upper right, upper left, lower left.
    public var corners: [Point] {
        let (cosine, sine) = (cos(angle), sin(angle))
        let (x1, y1) = (width / 2 * cosine, width / 2 * sine)
        let (x2, y2) = (-height / 2 * sine, height / 2 * cosine)
        return [
            Point(x: centerX + x1 + x2, y: centerY + y1 + y2),
            Point(x: centerX + x1 - x2, y: centerY + y1 - y2),
            Point(x: centerX - x1 - x2, y: centerY - y1 - y2),
            Point(x: centerX - x1 + x2, y: centerY - y1 + y2),
        ]
    }

    /// How much two boxes overlap, as the closeness of two Gaussians shaped like them, in Float32.
    ///
    /// One minus the Hellinger distance (`probiou` in `ultralytics/utils/metrics.py` 8.4.190; Llerena et al., "Gaussian
    /// Bounding Boxes and Probabilistic Intersection-over-Union for Object Detection", 2021).
    ///
    /// - Parameter other: In pixels of the same image.
    /// - Returns: About 0 for boxes far apart, nearly 1 for equal ones; NaN where a box has no finite shape, and at times
    ///   for boxes so thin that Float32 loses them.
    public func probabilisticIoU(_ other: RotatedBox) -> Float {
        let (first, second) = (Covariance(self), Covariance(other))
        return YoloqVision.probabilisticIoU(
            first,
            second,
            dx: centerX - other.centerX,
            dy: centerY - other.centerY
        )
    }
}

/// The Gaussian that has a box's mean square extent.
struct Covariance {
    /// Along x.
    let a: Float
    /// Along y.
    let b: Float
    /// Of x and y.
    let c: Float

    init(_ box: RotatedBox) {
        let (along, across) = (box.width * box.width / 12, box.height * box.height / 12)
        let (cosine, sine) = (cos(box.angle), sin(box.angle))
        a = along * (cosine * cosine) + across * (sine * sine)
        b = along * (sine * sine) + across * (cosine * cosine)
        c = (along - across) * cosine * sine
    }

    init(a: Float, b: Float, c: Float) {
        self.a = a
        self.b = b
        self.c = c
    }

    /// 0 where rounding makes it negative.
    fileprivate var determinant: Float { atLeast(0, a * b - c * c) }
}

/// Of two Gaussians whose centres are `dx` and `dy` apart, first minus second.
func probabilisticIoU(_ first: Covariance, _ second: Covariance, dx: Float, dy: Float) -> Float {
    let epsilon: Float = 1e-7
    let (a, b, c) = (first.a + second.a, first.b + second.b, first.c + second.c)
    let determinant = a * b - c * c
    let t1 = 0.25 * (a * (dy * dy) + b * (dx * dx)) / (determinant + epsilon)
    let t2 = 0.5 * (c * -dx * dy) / (determinant + epsilon)
    let product = (first.determinant * second.determinant).squareRoot()
    let t3 = 0.5 * log(determinant / (4 * product + epsilon) + epsilon)
    let distance = atMost(100, atLeast(epsilon, t1 + t2 + t3))
    return 1 - (1 - exp(-distance) + epsilon).squareRoot()
}

/// NaN stays NaN, as in torch's `clamp`.
private func atLeast(_ bound: Float, _ value: Float) -> Float { value < bound ? bound : value }

private func atMost(_ bound: Float, _ value: Float) -> Float { value > bound ? bound : value }
