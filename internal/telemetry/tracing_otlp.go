package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
)

// either returns a variable of the exporter: the one for traces, or the one for all signals.
func (r *envReader) either(name string) (variable, value string) {
	variable = "OTEL_EXPORTER_OTLP_TRACES_" + name
	if value = r.get(variable); value == "" {
		variable = "OTEL_EXPORTER_OTLP_" + name
		value = r.get(variable)
	}
	return variable, value
}

// exporter reads how to export.
func (r *envReader) exporter() []otlptracehttp.Option {
	var o []otlptracehttp.Option
	switch name, protocol := r.either("PROTOCOL"); protocol {
	case "":
	case "http/protobuf":
		o = append(o, otlptracehttp.WithEncoding(otlptracehttp.EncodingProtobuf))
	case "http/json":
		o = append(o, otlptracehttp.WithEncoding(otlptracehttp.EncodingJSON))
	default:
		r.refuse(name, protocol, "use http/protobuf or http/json")
	}
	switch name, compression := r.either("COMPRESSION"); compression {
	case "", "none":
	case "gzip":
		o = append(o, otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	default:
		r.refuse(name, compression, "use gzip or none")
	}
	if name, timeout := r.either("TIMEOUT"); timeout != "" {
		o = append(o, otlptracehttp.WithTimeout(r.milliseconds(name, 0)))
	}
	if name, _ := r.either("HEADERS"); r.get(name) != "" {
		headers := make(map[string]string)
		for _, pair := range r.attributes(name) {
			headers[string(pair.Key)] = pair.Value.AsString()
		}
		o = append(o, otlptracehttp.WithHeaders(headers))
	}
	if c := r.certificates(); c != nil {
		o = append(o, otlptracehttp.WithTLSClientConfig(c))
	}
	return o
}

// certificates reads whom to trust, and who we are; nil for what the system says.
func (r *envReader) certificates() *tls.Config {
	trustName, trust := r.either("CERTIFICATE")
	certName, cert := r.either("CLIENT_CERTIFICATE")
	keyName, key := r.either("CLIENT_KEY")
	if trust == "" && cert == "" && key == "" {
		return nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if trust != "" {
		c.RootCAs = x509.NewCertPool()
		pem, err := os.ReadFile(trust)
		if err != nil {
			r.refuse(trustName, trust, err.Error())
		} else if !c.RootCAs.AppendCertsFromPEM(pem) {
			r.refuse(trustName, trust, "there is no certificate in it")
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			r.refuse(certName+" with "+keyName, cert+" with "+key, err.Error())
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}
