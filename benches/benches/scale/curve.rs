//! Points of a curve, in a file.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

/// A CSV file with the columns `x`, `y`, `unit` and `what`, behind lines about the machine and the command that begin with `#`.
pub(crate) struct Curve {
    file: File,
}

impl Curve {
    /// Begins the file; one that is there is written anew.
    pub(crate) fn create(path: &Path, about: &str) -> Self {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        let mut curve = Self { file: File::create(path).expect("a file that can be written") };
        let arguments: Vec<_> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
        curve.line(&format!("# cargo bench -p stockade-benches --bench scale -- {}", arguments.join(" ")));
        curve.line(&format!("# {about}"));
        curve.line(&format!("# {}", machine()));
        curve.line("x,y,unit,what");
        curve
    }

    /// Adds a point, so that it is there if the program is stopped before the next.
    pub(crate) fn point(&mut self, x: u64, y: f64, unit: &str, what: &str) {
        // Four digits say all that a measurement on a shared machine knows.
        let digits = match y.abs() {
            1_000.0.. => 0,
            100.0.. => 1,
            10.0.. => 2,
            1.0.. => 3,
            _ => 5,
        };
        self.line(&format!("{x},{y:.digits$},{unit},{what}"));
    }

    /// Says how busy the machine was by now, over the last minute.
    pub(crate) fn load(&mut self, x: u64) {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        if let Some(load) = load.split_whitespace().next().and_then(|load| load.parse().ok()) {
            self.point(x, load, "processes", "load average");
        }
    }

    fn line(&mut self, line: &str) {
        println!("{line}");
        writeln!(self.file, "{line}").expect("room on the disk");
    }
}

fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, model)| model);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 20;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    format!("{processors} processors of {}, {memory} GiB of memory, {build} build", model.unwrap_or("an unknown kind"))
}
