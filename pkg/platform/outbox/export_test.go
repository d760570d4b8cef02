package outbox

// WatermarkInterval is for tests that write while the relay makes several observations.
const WatermarkInterval = watermarkInterval

// LowestWatermark returns the lowest low watermark of a relay that has published.
func (r *Relay) LowestWatermark() int64 {
	lowest := r.store.watermarks.at[0].Load()
	for b := range r.store.watermarks.at {
		lowest = min(lowest, r.store.watermarks.at[b].Load())
	}
	return lowest
}
