package health

import "fmt"

// checkStorage finds that the broker's storage is nearly full.
func checkStorage(s Snapshot, t Thresholds) []Finding {
	b := &s.Broker
	if s.blind() != "" || b.StorageLimit <= 0 {
		return nil
	}
	used := float64(b.Storage) / float64(b.StorageLimit)
	f, found := measured(NATS(), used, t.Every.StreamFull, share, func() string {
		return fmt.Sprintf("%s of its storage is used", share(used))
	})
	if !found {
		return nil
	}
	return []Finding{f}
}
