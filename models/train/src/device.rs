//! Where a training computes.

use burn::tensor::Device;

use crate::error::Error;

/// A processor that trains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceKind {
    /// This machine's processor: everywhere, and the same bytes from any number of threads.
    #[default]
    Cpu,
    /// The first NVIDIA GPU; needs the feature `cuda`. The order of its sums is its own: runs may differ in the last bits.
    Cuda,
}

/// Windows whose gradient is worked out at once by a core. Its tensors fit the core's cache; and the sum of the
/// gradients of such pieces, in their order, is the same on any number of threads.
const PIECE: usize = 64;

/// Windows at once of a GPU, which wants large products.
const LARGE_PIECE: usize = 4096;

impl DeviceKind {
    /// The framework's device, if this program was built for it.
    pub(crate) fn open(self) -> Result<Device, Error> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            #[cfg(feature = "cuda")]
            Self::Cuda => {
                // Asked for by a list: naming a GPU that is not there would end the program.
                let gpus = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec();
                gpus.into_iter().next().ok_or(Error::NoGpu)
            }
            #[cfg(not(feature = "cuda"))]
            Self::Cuda => Err(Error::NoCuda),
        }
    }

    /// Windows that are worked on at once.
    pub(crate) fn piece(self) -> usize {
        match self {
            Self::Cpu => PIECE,
            Self::Cuda => LARGE_PIECE,
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}
