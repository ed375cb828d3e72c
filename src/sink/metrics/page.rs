//! A page of metrics in the making.

use prometheus::{Encoder, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::MetricsError;

/// One page in the making: each family is registered as it is added.
#[derive(Default)]
pub(super) struct Page {
    registry: Registry,
}

impl Page {
    pub(super) fn counter(&self, name: &str, help: &str, value: u64) -> Result<(), MetricsError> {
        self.counters::<0, &str>(name, help, [], [([], value)])
    }

    pub(super) fn gauge(&self, name: &str, help: &str, value: f64) -> Result<(), MetricsError> {
        self.gauges::<0, &str>(name, help, [], [([], value)])
    }

    pub(super) fn float_counter(
        &self,
        name: &str,
        help: &str,
        value: f64,
    ) -> Result<(), MetricsError> {
        let counter = prometheus::Counter::new(name, help)?;
        counter.inc_by(value);
        Ok(self.registry.register(Box::new(counter))?)
    }

    pub(super) fn counters<const N: usize, L: AsRef<str> + std::fmt::Debug>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl IntoIterator<Item = ([L; N], u64)>,
    ) -> Result<(), MetricsError> {
        let family = IntCounterVec::new(Opts::new(name, help), &labels)?;
        for (values, count) in series {
            family.get_metric_with_label_values(&values)?.inc_by(count);
        }
        Ok(self.registry.register(Box::new(family))?)
    }

    pub(super) fn gauges<const N: usize, L: AsRef<str> + std::fmt::Debug>(
        &self,
        name: &str,
        help: &str,
        labels: [&str; N],
        series: impl IntoIterator<Item = ([L; N], f64)>,
    ) -> Result<(), MetricsError> {
        let family = GaugeVec::new(Opts::new(name, help), &labels)?;
        for (values, level) in series {
            family.get_metric_with_label_values(&values)?.set(level);
        }
        Ok(self.registry.register(Box::new(family))?)
    }

    pub(super) fn finish(self) -> Result<String, MetricsError> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(String::from_utf8_lossy(&page).into_owned())
    }
}
