//! Distances between positions on the earth, taken as a ball.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use arrow::datatypes::Float64Type;
use arrow::error::ArrowError;

use super::math::radians;
use super::primitive;

/// Mean radius of the earth in metres (IUGG's R1).
const EARTH_RADIUS_M: f64 = 6_371_008.8;
/// Degrees. Longitudes are written from -180 to 180 or from 0 to 360; a latitude beyond a pole is no place.
const MAX_LATITUDE: f64 = 90.0;
const MAX_LONGITUDE: f64 = 360.0;

/// `haversine(lat1, lon1, lat2, lon2)`: metres along the great circle between two positions in degrees; null if one of
/// them is off the globe. NaN gives NaN.
pub(in super::super) fn haversine(args: &[ArrayRef]) -> Result<ArrayRef, ArrowError> {
    let degrees = |i: usize| primitive::<Float64Type>(&args[i]);
    let (from, to) = (degrees(0)?.iter().zip(degrees(1)?), degrees(2)?.iter().zip(degrees(3)?));
    let output: Float64Array =
        from.zip(to).map(|((lat1, lon1), (lat2, lon2))| distance((lat1?, lon1?), (lat2?, lon2?))).collect();
    Ok(Arc::new(output))
}

/// The haversine formula (R. W. Sinnott, "Virtues of the Haversine", 1984): good for near places, where the cosine of
/// the distance says little. The order of operations makes both directions give the same bits.
fn distance(from: (f64, f64), to: (f64, f64)) -> Option<f64> {
    let off = |(lat, lon): (f64, f64)| lat.abs() > MAX_LATITUDE || lon.abs() > MAX_LONGITUDE;
    if off(from) || off(to) {
        return None;
    }
    let half_sine = |from: f64, to: f64| libm::sin(radians(to - from) / 2.0);
    let (north, east) = (half_sine(from.0, to.0), half_sine(from.1, to.1));
    let part = north * north + libm::cos(radians(from.0)) * libm::cos(radians(to.0)) * east * east;
    // Rounding may carry it past 1 for opposite places; `f64::min` would swallow a NaN.
    let part = if part > 1.0 { 1.0 } else { part };
    Some(2.0 * EARTH_RADIUS_M * libm::asin(part.sqrt()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::f64::consts::PI;

    const LYON: (f64, f64) = (45.7597, 4.8422);
    const PARIS: (f64, f64) = (48.8567, 2.3508);

    #[test]
    fn known_distances() {
        // What the Python package `haversine` prints in its own documentation, in kilometres: 392.2172595594006.
        assert!((distance(LYON, PARIS).unwrap() - 392_217.259_559_400_6).abs() < 1e-6);
        let quarter = PI * EARTH_RADIUS_M / 2.0;
        for (from, to, wanted) in [
            ((0.0, 0.0), (90.0, 0.0), quarter),
            ((0.0, 0.0), (0.0, 90.0), quarter),
            ((0.0, 0.0), (0.0, 180.0), 2.0 * quarter),
            ((90.0, 17.0), (-90.0, -3.0), 2.0 * quarter),
            ((10.0, 179.0), (10.0, -181.0), 0.0),
            ((10.0, 359.0), (10.0, -1.0), 0.0),
        ] {
            assert!((distance(from, to).unwrap() - wanted).abs() < 1e-6, "{from:?} {to:?}");
        }
    }

    #[test]
    fn both_directions_give_the_same_bits_and_a_place_is_at_itself() {
        assert_eq!(distance(LYON, PARIS).unwrap().to_bits(), distance(PARIS, LYON).unwrap().to_bits());
        assert_eq!(distance(LYON, LYON), Some(0.0));
    }

    #[test]
    fn off_the_globe_is_null_and_nan_stays() {
        for off in [(90.1, 0.0), (-91.0, 0.0), (0.0, 360.5), (f64::INFINITY, 0.0), (0.0, f64::NEG_INFINITY)] {
            assert_eq!(distance(off, PARIS), None, "{off:?}");
            assert_eq!(distance(PARIS, off), None, "{off:?}");
        }
        assert!(distance((f64::NAN, 0.0), PARIS).unwrap().is_nan());
    }
}
