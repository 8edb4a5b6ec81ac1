package resilience_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"genesis/pkg/resilience"
)

func ExampleBulkhead() {
	cpu, err := resilience.NewBulkhead(resilience.BulkheadOptions{Name: "cpu", Slots: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = cpu.Do(context.Background(), func(ctx context.Context) error {
		fmt.Println(cpu.Do(ctx, func(context.Context) error { return nil })) // the one slot is taken
		return nil
	})
	fmt.Printf("%+v\n", cpu.Stats())
	// Output:
	// rejected: no slot (come back in 1s)
	// {Name:cpu Slots:1 InUse:0 Waiting:0 Rejected:1}
}

func ExampleAdaptiveBulkhead() {
	model, err := resilience.NewAdaptiveBulkhead(resilience.AdaptiveOptions{Name: "model", Floor: 2, Ceiling: 100, MaxWaiting: 50})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = model.Do(context.Background(), func(context.Context) error { return nil })
	fmt.Println(err, model.Stats().Slots)
	// Output: <nil> 2
}

func ExampleCheckOrder() {
	cpu, _ := resilience.NewBulkhead(resilience.BulkheadOptions{Name: "cpu", Slots: 4})
	io, _ := resilience.NewBulkhead(resilience.BulkheadOptions{Name: "io", Slots: 10})
	fmt.Println(resilience.CheckOrder(map[string]resilience.Chain{"embed": {cpu, io}, "search": {io, cpu}}))
	// Output:
	// bulkheads in a cycle: embed holds "cpu" and takes "io"; search holds "io" and takes "cpu"
}

func ExampleRateLimit() {
	limit, err := resilience.NewRateLimit(resilience.RateLimitOptions{PerSecond: 0.1, Burst: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		fmt.Println(limit.Do(context.Background(), func(context.Context) error { return nil }))
	}
	// Output:
	// <nil>
	// <nil>
	// rejected: rate limit (come back in 10s)
}

func ExampleSharedRateLimit() {
	limit, err := resilience.NewSharedRateLimit(resilience.SharedRateLimitOptions{
		Name: "openai", PerSecond: 100, // of all replicas together
		Store: &keptBuckets{}, Replica: "worker-1", Replicas: 3,
		MaxWaiting: 100, MaxWait: time.Second,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	fmt.Println(limit.Run(ctx)) // leases tokens while the program runs
	fmt.Println(limit.Do(context.Background(), func(context.Context) error { return nil }))
	// Output:
	// <nil>
	// <nil>
}

func ExampleFallback() {
	primary := func(context.Context) (string, error) { return "", errors.New("model overloaded") }
	ladder, err := resilience.NewFallback(resilience.FallbackOptions{
		Name: "summarizer",
		Rungs: []resilience.Rung{
			{Name: "primary", Policy: resilience.Timeout{Limit: 30 * time.Second}},
			{Name: "fallback", When: func(context.Context) error { return errors.New("flag second_model is off") }},
			{Name: "static"},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	var text string
	answer, err := ladder.Answer(context.Background(), func(ctx context.Context, rung int) (err error) {
		if rung == 2 {
			text = "The service is busy."
			return nil
		}
		text, err = primary(ctx)
		return err
	})
	fmt.Println(answer.Rung, text, err)
	for _, why := range answer.Passed {
		fmt.Println(why)
	}
	// Output:
	// static The service is busy. <nil>
	// rung primary: model overloaded
	// rung fallback skipped: flag second_model is off
}
