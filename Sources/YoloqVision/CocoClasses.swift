// SPDX-License-Identifier: Apache-2.0

/// The 80 classes of the COCO data set, as models trained on it number them, and the numbers that COCO's own files use.
///
/// COCO numbers its categories from 1 to 90 and leaves ten of them out (https://cocodataset.org/#format-data).
public enum CocoClasses {
    /// Names in the order of a model's classes.
    public static let names = [
        "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
        "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
        "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
        "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
        "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
        "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
        "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone",
        "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
        "hair drier", "toothbrush",
    ]

    /// COCO's numbers in the order of a model's classes.
    public static let categoryIDs: [Int] = {
        let unused: Set = [12, 26, 29, 30, 45, 66, 68, 69, 71, 83]
        return (1...90).filter { !unused.contains($0) }
    }()

    /// The names of a person's 17 keypoints in COCO's order.
    public static let keypointNames = [
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ]

    /// The data set whose classes a model has, name for name.
    ///
    /// - Parameter classNames: The model's.
    /// - Returns: `coco`, or nil if it is none that we know.
    public static func dataset(of classNames: [String]) -> String? {
        classNames == names ? "coco" : nil
    }
}
