package gateway

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"genesis/pkg/bus"
)

const (
	pathRequests = "/v1/agents/{agent}/requests"
	pathRequest  = pathRequests + "/{id}"
)

func (d document) submit() huma.Operation {
	const rate = "RateLimit"
	fields := headers("Location", "Where the request is", "Preference-Applied", "The wait that was granted",
		rate, "What is left of the limit", rate+"-Policy", "The limit")
	return d.operation(huma.Operation{
		OperationID: "submit-request", Method: http.MethodPost, Path: pathRequests, Tags: []string{"requests"},
		Summary:     "Send a request to an agent",
		Description: "Accepted means stored: the request ends as one result or one dead letter. With Prefer: wait=N the result comes with this answer, if it is there in time.",
		Security:    keyed(),
	}, map[int]*huma.Response{
		http.StatusOK:       content("The result, also that of a failure (success is false)", schemaOf[bus.Result](d), fields),
		http.StatusAccepted: content("Accepted: the result will be at Location", schemaOf[Ticket](d), fields),
	}, kindInvalid, kindUnauthorized, kindForbidden, kindUnknownAgent, kindSlow, kindConflict, kindTooLarge, kindMediaType,
		kindReused, kindRate, kindFull, kindUnavailable)
}

func (d document) lookup() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "get-request", Method: http.MethodGet, Path: pathRequest, Tags: []string{"requests"},
		Summary:     "Ask for a result",
		Description: "Results are kept for 24 hours. With Prefer: wait=N the answer comes as soon as the result does.",
		Security:    keyed(),
	}, map[int]*huma.Response{
		http.StatusOK:       content("The result, also that of a failure (success is false)", schemaOf[bus.Result](d), headers("Preference-Applied", "The wait that was granted")),
		http.StatusAccepted: content("Pending", schemaOf[Ticket](d), headers("Preference-Applied", "The wait that was granted", "Retry-After", "Seconds after which to ask again")),
	}, kindInvalid, kindUnauthorized, kindForbidden, kindUnknownAgent, kindUnknownRequest, kindUnavailable)
}

func (d document) cancel() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "cancel-request", Method: http.MethodDelete, Path: pathRequest, Tags: []string{"requests"},
		DefaultStatus: http.StatusAccepted,
		Summary:       "Cancel a request",
		Description:   "Its result becomes `cancelled`, unless it was answered first; an execution under way is told to stop.",
		Security:      keyed(),
	}, map[int]*huma.Response{
		http.StatusAccepted: content("Cancelled", schemaOf[Ticket](d), headers("Location", "Where its result is")),
	}, kindInvalid, kindUnauthorized, kindForbidden, kindUnknownAgent, kindUnknownRequest, kindAnswered, kindUnavailable)
}

func (d document) agents() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "list-agents", Method: http.MethodGet, Path: "/v1/agents", Tags: []string{"agents"},
		Summary:     "List the agents: how they are, who serves them, and their lag",
		Description: "A few seconds old at most. Requests to an agent that no worker serves are accepted, and wait.",
		Security:    keyed(),
	}, map[int]*huma.Response{
		http.StatusOK: {Description: "The agents, sorted by name"},
	}, kindUnauthorized, kindForbidden, kindUnavailable)
}

func (d document) status() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "get-status", Method: http.MethodGet, Path: "/status", Tags: []string{"health"},
		Summary:     "Tell clients whether all is well",
		Description: "What the monitor says, and what this gateway sees before it does. Without a monitor health is unknown, which is degraded.",
	}, map[int]*huma.Response{http.StatusOK: {Description: "The status, also when it is degraded"}})
}

func (d document) live() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "get-liveness", Method: http.MethodGet, Path: "/health/live", Tags: []string{"health"},
		Summary: "Tell whether the process works",
	}, map[int]*huma.Response{http.StatusOK: {Description: "It does"}})
}

func (d document) ready() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "get-readiness", Method: http.MethodGet, Path: "/health/ready", Tags: []string{"health"},
		Summary: "Tell whether requests can be accepted and answered here",
	}, map[int]*huma.Response{
		http.StatusOK:                 {Description: "They can"},
		http.StatusServiceUnavailable: content("They cannot: the body says why", schemaOf[Readiness](d), nil),
	})
}

func (d document) detailed() huma.Operation {
	return d.operation(huma.Operation{
		OperationID: "get-health", Method: http.MethodGet, Path: "/health/detailed", Tags: []string{"health"},
		Summary: "Tell operators how the gateway is", Security: []map[string][]string{{schemeToken: {}}},
	}, map[int]*huma.Response{http.StatusOK: {Description: "How it is"}}, kindUnauthorized)
}
