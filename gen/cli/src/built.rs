//! A build directory, read back: its model, lowered and planned again, is what its Verilog must match.

use std::path::Path;

use tablewright_design::{Design, Fitted, Protection, lower, lower_like, lower_loaded, passes};
use tablewright_emit::{BuildDir, Manifest, PrefetcherSummary, changed_files, check_origin, read_manifest};
use tablewright_model::{TableModel, load_model};
use tablewright_plan::Plan;

use crate::failure::Failure;
use crate::planned;
use crate::subject::Subject;

/// What a build was made from and should be.
pub(crate) struct Built {
    pub(crate) dir: BuildDir,
    pub(crate) manifest: Manifest,
    pub(crate) model: TableModel,
    pub(crate) design: Design,
    pub(crate) plan: Plan,
}

impl Built {
    /// Opens a build directory.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        const WANTED: &str = "a build directory, as `tablewright build MODEL -o BUILD_DIR` writes it";
        match Subject::of(path, WANTED)? {
            Subject::BuildDir => {}
            other => return Err(other.instead(path, WANTED)),
        }
        let dir = BuildDir::new(path);
        let manifest = read_manifest(path)?;
        check_origin(&dir, &manifest)?;
        let model = load_model(&dir.model())?;
        let passed = |pass: &str| manifest.passes.iter().any(|run| run == pass);
        let design = passes::chosen(&lowered(&model, manifest.loaded), passed);
        let plan = Plan::new(&design, &planned::read(&dir.plan(), &design)?);
        let same = (plan.latency, plan.interval) == (manifest.latency_cycles, manifest.interval_cycles)
            && PrefetcherSummary::of(&design, &plan) == manifest.prefetcher;
        if !same {
            return Err(Failure::OtherVersion { path: path.into() });
        }
        Ok(Self { dir, manifest, model, design, plan })
    }

    /// What the hardware computes once the tables of another model of its shape are loaded, and how many values were cut for it.
    /// `path` is where that model was read.
    pub(crate) fn fit(&self, model: &TableModel, path: &Path) -> Result<Fitted, Failure> {
        let mut fitted = self.fit_whole(model, path)?;
        fitted.design =
            passes::chosen(&fitted.design, |pass| self.manifest.passes.iter().any(|run| run == pass));
        // The modules keep their names, and the issue unit its settings.
        fitted.design.name.clone_from(&self.design.name);
        fitted.design.input.clone_from(&self.design.input);
        Ok(fitted)
    }

    /// The same with all rows of all layers, and with the model's own settings.
    pub(crate) fn fit_whole(&self, model: &TableModel, path: &Path) -> Result<Fitted, Failure> {
        let root = || self.dir.root().to_path_buf();
        let Some(protection) = self.design.loaded else {
            return Err(Failure::NotLoadable { path: root() });
        };
        lower_like(model, &lowered(&self.model, Some(protection))).map_err(|reason| Failure::OtherShape {
            path: path.into(),
            build: root(),
            reason,
        })
    }

    /// Files that are not as `build` wrote them: somebody may want that, but should know.
    pub(crate) fn changed_files(&self) -> Vec<String> {
        changed_files(&self.dir, &self.manifest)
    }
}

/// A line for people about [`Built::changed_files`], if there are any.
pub(crate) fn changed_row(files: &[String]) -> Option<(&'static str, String)> {
    const SHOWN: usize = 3;
    let more = files.len().checked_sub(SHOWN).filter(|&more| more > 0);
    let more = more.map_or_else(String::new, |more| format!(" and {more} more"));
    let shown = files.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    (!files.is_empty()).then(|| ("changed", format!("not as they were built: {shown}{more}")))
}

/// A model's design with all rows of all layers, its contents frozen or loaded.
pub(crate) fn lowered(model: &TableModel, loaded: Option<Protection>) -> Design {
    match loaded {
        None => lower(model),
        Some(protection) => lower_loaded(model, protection),
    }
}

/// A model's design as hardware is made from it, its contents frozen or loaded; with `windows`, one that takes whole windows in
/// any case.
pub(crate) fn designed(model: &TableModel, windows: bool, loaded: Option<Protection>) -> Design {
    passes::chosen(&lowered(model, loaded), |pass| is_run(pass, windows))
}

/// Names of the passes that [`designed`] runs.
pub(crate) fn passes_run(windows: bool) -> Vec<String> {
    passes::ALL.iter().map(|pass| pass.name).filter(|pass| is_run(pass, windows)).map(str::to_owned).collect()
}

fn is_run(pass: &str, windows: bool) -> bool {
    !(windows && pass == passes::STREAM)
}
