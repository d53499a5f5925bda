// An empty Worker: measures the start-up time of the runtime itself.
export default {
  fetch() {
    return new Response("ok");
  },
};
