// Command crirelax stands between a kubelet and a containerd that runs under qemu-user:
//
//	crirelax LISTEN_SOCKET CONTAINERD_SOCKET
//
// qemu answers every seccomp prctl with EINVAL, so such a containerd takes the kernel for one
// without seccomp and refuses the RuntimeDefault profile that a kubelet asks for each sandbox.
// Calls pass through as bytes; in RunPodSandbox and CreateContainer alone the profile becomes
// Unconfined.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const maxMessage = 64 << 20

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: crirelax LISTEN_SOCKET CONTAINERD_SOCKET")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "crirelax:", err)
		os.Exit(1)
	}
}

func serve(listen, containerd string) error {
	conn, err := grpc.NewClient("unix://"+containerd,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{}), grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", containerd, err)
	}
	socket, err := net.Listen("unix", listen)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", listen, err)
	}
	server := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}), grpc.MaxRecvMsgSize(maxMessage),
		grpc.UnknownServiceHandler(func(_ any, down grpc.ServerStream) error { return forward(conn, down) }))
	return server.Serve(socket)
}

// forward carries one call, whatever its kind, between the kubelet and containerd.
func forward(conn *grpc.ClientConn, down grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(down)
	ctx, cancel := context.WithCancelCause(down.Context())
	defer cancel(nil)
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		ctx = metadata.NewOutgoingContext(ctx, md.Copy())
	}
	up, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	go func() {
		if err := requests(method, up, down); err != nil {
			cancel(err)
		}
	}()
	for {
		var m raw
		if err := up.RecvMsg(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := down.SendMsg(&m); err != nil {
			return err
		}
	}
}

func requests(method string, up grpc.ClientStream, down grpc.ServerStream) error {
	for {
		var m raw
		if err := down.RecvMsg(&m); errors.Is(err, io.EOF) {
			return up.CloseSend()
		} else if err != nil {
			return err
		}
		b, err := relax(method, m)
		if err != nil {
			return fmt.Errorf("reading %s: %w", method, err)
		}
		m = b
		if err := up.SendMsg(&m); err != nil {
			return err
		}
	}
}

// relax takes the seccomp profiles out of the two requests that carry them.
func relax(method string, request raw) (raw, error) {
	switch method {
	case "/runtime.v1.RuntimeService/RunPodSandbox":
		var r cri.RunPodSandboxRequest
		if err := proto.Unmarshal(request, &r); err != nil {
			return nil, err
		}
		unconfine(r.GetConfig().GetLinux().GetSecurityContext().GetSeccomp())
		return proto.Marshal(&r)
	case "/runtime.v1.RuntimeService/CreateContainer":
		var r cri.CreateContainerRequest
		if err := proto.Unmarshal(request, &r); err != nil {
			return nil, err
		}
		unconfine(r.GetConfig().GetLinux().GetSecurityContext().GetSeccomp())
		unconfine(r.GetSandboxConfig().GetLinux().GetSecurityContext().GetSeccomp())
		return proto.Marshal(&r)
	}
	return request, nil
}

func unconfine(p *cri.SecurityProfile) {
	if p != nil {
		p.ProfileType, p.LocalhostRef = cri.SecurityProfile_Unconfined, ""
	}
}
