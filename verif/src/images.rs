//! Are the memory images of a build what its model says? Checked before every simulation: simulators only warn about a
//! missing image and read zeros.

use serde::Serialize;
use tablewright_design::Design;
use tablewright_emit::{BuildDir, Image, images};
use tablewright_plan::Plan;

/// The first difference between an image and the model, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageFault {
    /// Path inside the build.
    pub file: String,
    /// The kernel the image belongs to.
    pub kernel: String,
    /// Line of the file, from 1; 0 when the fault is in the file as a whole.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
}

/// Compares every image of a build with its design. Returns the first fault and how many images are faulty.
pub fn check_images(build: &BuildDir, design: &Design, plan: &Plan) -> (Option<ImageFault>, usize) {
    let faults: Vec<ImageFault> =
        images(design, plan).iter().filter_map(|image| check(build, image)).collect();
    let count = faults.len();
    (faults.into_iter().next(), count)
}

fn check(build: &BuildDir, image: &Image) -> Option<ImageFault> {
    let fault = |line: usize, problem: String| {
        Some(ImageFault {
            file: format!("rtl/mem/{}", image.file),
            kernel: image.node.clone(),
            line,
            problem,
        })
    };
    let text = match std::fs::read_to_string(build.mem().join(&image.file)) {
        Ok(text) => text,
        Err(e) => return fault(0, format!("cannot be read ({e})")),
    };
    let expected = image.text();
    if text == expected {
        return None;
    }
    let (found, wanted) = (text.lines().count(), image.words());
    for (word, (line, right)) in text.lines().zip(expected.lines()).enumerate() {
        if line.trim() == right {
            continue;
        }
        let lane = (0..image.lanes).find(|&l| image.lane(line, l) != image.lane(right, l));
        let at = lane.map_or(String::new(), |l| format!(", {} {l}", image.lane_is));
        let show = |text: &str| {
            lane.and_then(|l| image.lane(text, l))
                .map_or_else(|| format!("`{}`", text.trim()), |v| v.to_string())
        };
        return fault(
            word + 1,
            format!("{} {word}{at}: is {}, the model says {}", image.word_is, show(line), show(right)),
        );
    }
    if found != wanted {
        return fault(0, format!("has {found} words, the model says {wanted}"));
    }
    if text.ends_with('\n') { None } else { fault(wanted, "the last line has no newline".to_owned()) }
}
